-- What Quarto's web book needs beside Quarto itself.

local stringify = pandoc.utils.stringify
package.path = pandoc.path.directory(PANDOC_SCRIPT_FILE) .. '/?.lua;' .. package.path
local glossary = require('glossary')
Inlines = require('signs').Inlines

-- A picture without words for those who cannot see it takes them from its caption.
local function with_words(element, words)
  return element:walk({
    Image = function(image)
      local alt = image.attributes['fig-alt']
      if not alt or alt == '' then image.attributes['fig-alt'] = words end
      return image
    end,
  })
end

function Div(div)  -- its last paragraph is its caption
  local last = div.content[#div.content]
  if not div.identifier:match('^fig%-') or not last or last.t ~= 'Para' then return nil end
  return with_words(div, stringify(last))
end

function Figure(figure) return with_words(figure, stringify(figure.caption.long)) end

-- Pandoc takes the widths of a table from the dashes in its source; browsers know better.
function Table(tbl)
  tbl.colspecs = tbl.colspecs:map(function(spec) return { spec[1] } end)
  return tbl
end

-- The page of the glossary is another one: it is read for the words that it explains.
function Pandoc(doc)
  if not glossary.is_chapter(quarto.doc.input_file) then return nil end
  local page = io.open(pandoc.path.join({ quarto.project.directory, 'glossary.qmd' }))
  if not page then return nil end
  local terms = glossary.terms(pandoc.read(page:read('a'), 'markdown').blocks)
  page:close()
  doc.blocks = glossary.link(doc.blocks, terms, function(id) return 'glossary.qmd#' .. id end)
  return doc
end
