-- Plain Markdown with the numbers of the book, for the notebooks that leave it.

local List = pandoc.List
local markdown = {}

function markdown.Header(header)
  local number = header.attributes.number
  local content = List(header.content)
  if number then content = List({ pandoc.Str(number), pandoc.Space() }) .. content end
  return pandoc.Header(header.level, content)
end

function markdown.Image(image)
  return pandoc.Image(image.attributes['fig-alt'] or image.caption, image.src)
end

function markdown.CodeBlock(code)
  return pandoc.CodeBlock(code.text, pandoc.Attr('', { code.classes[1] }))
end

function markdown.equation(div)
  local math = div.content[1].content[1]
  return pandoc.Para({ pandoc.Math(math.mathtype,
    math.text:gsub('%s*$', '') .. ' \\tag{' .. div.attributes.number .. '} ') })
end

function markdown.float(_, div, content, caption)
  local label = List()
  if div.attributes.number then
    local name = div.attributes.name .. ' ' .. div.attributes.number .. '.'
    label = List({ pandoc.Strong({ pandoc.Str(name) }), pandoc.Space() })
  end
  return content .. { pandoc.Para(label .. caption) }
end

function markdown.callout(div, _, title)
  if div.attributes.collapse ~= 'true' then
    return pandoc.BlockQuote(List({ pandoc.Para({ pandoc.Strong(title) }) }) .. div.content)
  end
  local words = pandoc.write(pandoc.Pandoc({ pandoc.Plain(title) }), 'html')
  local head = '<details><summary>' .. words .. '</summary>'
  return List({ pandoc.RawBlock('html', head) }) .. div.content
    .. { pandoc.RawBlock('html', '</details>') }
end

-- How long this run took says nothing of the next one.
function markdown.facts() return {} end

-- A citation leads to the work itself, and nothing leads to a place in the book.
function markdown.finish(doc)
  local addresses = {}
  for _, work in ipairs(pandoc.utils.references(doc)) do
    addresses['#ref-' .. work.id] = work.url or work.doi and 'https://doi.org/' .. work.doi
  end
  local function content(element) return element.content end
  return pandoc.utils.citeproc(doc):walk({
    Link = function(link)
      if not link.target:match('^#') then return nil end
      local address = addresses[link.target]
      return address and pandoc.Link(link.content, address) or link.content
    end,
  }):walk({
    Cite = content, Span = content,
    Div = function(div) return div.identifier == 'refs' and {} or div.content end,
  })
end

return markdown
