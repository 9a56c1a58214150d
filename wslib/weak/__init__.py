"""Idea 3: boxes chosen, not drawn: proposals, localizers, WSDDN."""
