-- What Quarto's web book needs beside Quarto: the widths of tables, which pandoc takes
-- from the dashes in the source, are left to the browser.

function Table(tbl)
  tbl.colspecs = tbl.colspecs:map(function(spec) return { spec[1] } end)
  return tbl
end
