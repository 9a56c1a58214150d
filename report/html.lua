-- What pandoc's HTML writer cannot: folded code, figures, callouts, equations.

local List = pandoc.List
local html = { code_summary = 'Code' }

local function raw(text) return pandoc.RawInline('html', text) end
local function raw_block(text) return pandoc.RawBlock('html', text) end

local function escape(text)
  local entities = { ['&'] = '&amp;', ['<'] = '&lt;', ['>'] = '&gt;', ['"'] = '&quot;' }
  return (text:gsub('[&<>"]', entities))
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
  local anchor = { class = 'anchor', ['aria-label'] = 'Link to this section' }
  content:insert(pandoc.Link({}, '#' .. header.identifier, '', anchor))
  header.content = content
  return header
end

function html.Image(image)
  local alt = image.attributes['fig-alt']
  if alt and alt ~= '' then image.caption = { pandoc.Str(alt) } end
  image.attributes['fig-alt'] = nil
  return image
end

-- Browsers and Typst share out the width of a table better than dashes in Markdown do.
function html.Table(tbl)
  tbl.colspecs = tbl.colspecs:map(function(spec) return { spec[1] } end)
  return { raw_block('<div class="scroll" tabindex="0">'), tbl, raw_block('</div>') }
end

function html.CodeBlock(code)
  local fold = code.attributes.fold
  code.attributes.fold = nil
  if code.classes:includes('output') then
    code.attributes.tabindex = '0'
  end
  if not fold or fold == 'false' then return code end
  local open = fold == 'show' and ' open' or ''
  return {
    raw_block('<details class="code"' .. open .. '><summary>' .. escape(html.code_summary)
      .. '</summary>'), code, raw_block('</details>'),
  }
end

function html.equation(div)
  local number = pandoc.Span({ pandoc.Str('(' .. div.attributes.number .. ')') },
    { class = 'number' })
  local math = pandoc.Span(div.content[1].content, { class = 'math-box', tabindex = '0' })
  return pandoc.Div({ pandoc.Plain({ math, number }) },
    pandoc.Attr(div.identifier, { 'equation' }))
end

function html.float(kind, div, content, caption)
  local id = div.identifier ~= '' and ' id="' .. div.identifier .. '"' or ''
  local head = List()
  if div.attributes.number then
    head:insert(pandoc.Span({ pandoc.Str(div.attributes.name .. '\u{a0}' .. div.attributes.number) },
      { class = 'label' }))
    head:insert(pandoc.Space())
  end
  local figcaption = List({ pandoc.Plain(
    List({ raw('<figcaption>') }) .. head .. caption .. { raw('</figcaption>') }) })
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
