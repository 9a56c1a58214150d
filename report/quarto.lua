-- What Quarto's web book needs beside Quarto itself.

-- A picture without words for those who cannot see it takes them from its caption, the
-- last paragraph of the figure.
function Div(div)
  local last = div.content[#div.content]
  if not div.identifier:match('^fig%-') or not last or last.t ~= 'Para' then return nil end
  local words = pandoc.utils.stringify(last)
  return div:walk({
    Image = function(image)
      local alt = image.attributes['fig-alt']
      if not alt or alt == '' then image.attributes['fig-alt'] = words end
      return image
    end,
  })
end

-- Pandoc takes the widths of a table from the dashes in its source; browsers know better.
function Table(tbl)
  tbl.colspecs = tbl.colspecs:map(function(spec) return { spec[1] } end)
  return tbl
end
