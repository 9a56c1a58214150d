-- What pandoc's HTML writer cannot: folded code, figures, callouts, equations.

local stringify = pandoc.utils.stringify
local List = pandoc.List
local html = { code_summary = 'Code' }

local function raw(text) return pandoc.RawInline('html', text) end
local function raw_block(text) return pandoc.RawBlock('html', text) end

local function escape(text)
  local entities = { ['&'] = '&amp;', ['<'] = '&lt;', ['>'] = '&gt;', ['"'] = '&quot;' }
  return (text:gsub('[&<>"]', entities))
end

local function anchor(id, what)
  return pandoc.Link({}, '#' .. id, '', { class = 'anchor', ['aria-label'] = 'Link to ' .. what })
end

-- Width / height, so that a page keeps its place while its pictures load.
local function shape_of(file)
  local found, size = pcall(function()
    local handle = assert(io.open(file, 'rb'))
    local data = handle:read('a')
    handle:close()
    return pandoc.image.size(data)
  end)
  return found and size.width .. '/' .. size.height
end

function html.Header(header)
  local number = header.attributes.number
  header.attributes.number = nil
  local content = List(header.content)
  if number then
    local span = pandoc.Span({ pandoc.Str(number) }, { class = 'number' })
    content = List({ span, pandoc.Space() }) .. content
  end
  if header.attributes.appendix then header.classes:insert('appendix') end
  header.attributes.appendix = nil
  content:insert(anchor(header.identifier, 'this section'))
  header.content = content
  return header
end

function html.Image(image)
  local alt = image.attributes['fig-alt']
  if alt and alt ~= '' then image.caption = { pandoc.Str(alt) } end
  image.attributes['fig-alt'] = nil
  local shape = shape_of(image.src)
  if shape then image.attributes.style = 'aspect-ratio:' .. shape end
  return image
end

-- Browsers and Typst share out the width of a table better than dashes in Markdown do.
-- The first column names the rows where it is written like words, on the left.
function html.Table(tbl)
  local named = #tbl.colspecs > 1 and tbl.colspecs[1][1] ~= 'AlignRight'
  tbl.colspecs = tbl.colspecs:map(function(spec) return { spec[1] } end)
  for _, row in ipairs(tbl.head.rows) do
    for _, cell in ipairs(row.cells) do cell.attributes.scope = 'col' end
  end
  for _, body in ipairs(tbl.bodies) do
    body.row_head_columns = named and 1 or 0
    for _, row in ipairs(named and body.body or {}) do
      row.cells[1].attributes.scope = 'row'
    end
  end
  return { raw_block('<div class="scroll" tabindex="0">'), tbl, raw_block('</div>') }
end

function html.CodeBlock(code)
  local fold = code.attributes['code-fold']
  code.attributes['code-fold'] = nil
  if code.classes:includes('output') then  -- no language; pandoc would look among all
    return raw_block('<pre class="' .. table.concat(code.classes, ' ')
      .. '" tabindex="0"><code>' .. escape(code.text) .. '</code></pre>')
  end
  code.attributes.tabindex = '0'  -- what scrolls sideways must do so by keys as well
  if not fold or fold == 'false' then return code end
  local open = fold == 'show' and ' open' or ''
  return {
    raw_block('<details class="code"' .. open .. '><summary>' .. escape(html.code_summary)
      .. '</summary>'), code, raw_block('</details>'),
  }
end

function html.equation(div)
  local number = pandoc.Link({ pandoc.Str('(' .. div.attributes.number .. ')') },
    '#' .. div.identifier, '', { class = 'number', ['aria-label'] = 'Equation ('
    .. div.attributes.number .. ')' })
  return pandoc.Div({ pandoc.Plain(List(div.content[1].content) .. { number }) },
    pandoc.Attr(div.identifier, { 'equation' }))
end

function html.Math(math)
  if math.mathtype ~= 'DisplayMath' then return nil end
  return pandoc.Span({ math }, { class = 'math-box', tabindex = '0' })
end

function html.float(kind, div, content, caption)
  local id = div.identifier ~= '' and ' id="' .. div.identifier .. '"' or ''
  local head = List()
  if div.attributes.number then
    head:insert(pandoc.Span({ pandoc.Str(div.attributes.name .. '\u{a0}' .. div.attributes.number) },
      { class = 'label' }))
    head:insert(pandoc.Space())
  end
  local tail = List({ raw('</figcaption>') })
  if #head > 0 and id ~= '' then tail:insert(1, anchor(div.identifier, stringify(head[1]))) end
  local figcaption = List({ pandoc.Plain(List({ raw('<figcaption>') }) .. head .. caption .. tail) })
  local opening = List({ raw_block('<figure' .. id .. ' class="float ' .. kind .. '">') })
  local parts = kind == 'tbl' and figcaption .. content or content .. figcaption
  return opening .. parts .. { raw_block('</figure>') }
end

function html.callout(div, kind, title)
  local folded = div.attributes.collapse == 'true'
  local tags = folded and { 'details', 'summary' } or { 'aside', 'p' }
  local class = ' class="callout callout-' .. kind .. '"'
  local head = List({ raw('<' .. tags[2] .. ' class="callout-title">') }) .. title
      .. { raw('</' .. tags[2] .. '>') }
  local blocks = List({ raw_block('<' .. tags[1] .. class .. '>'), pandoc.Plain(head),
    raw_block('<div class="callout-body">') })
  return blocks .. div.content .. { raw_block('</div></' .. tags[1] .. '>') }
end

return html
