"""How the Caltech practical's faces, motorcycles and airplanes are drawn."""
