-- What pandoc's Typst writer cannot: numbers that are given, tables with fine rules, code
-- that is no longer than the page is wide, pictures no wider than the text.

local List = pandoc.List
local typst = {}

local function raw(text) return pandoc.RawInline('typst', text) end
local function raw_block(text) return pandoc.RawBlock('typst', text) end

local function quoted(text)
  return '"' .. text:gsub('\\', '\\\\'):gsub('"', '\\"'):gsub('\n', '\\n') .. '"'
end

function typst.Header(header)
  local number = header.attributes.number
  local numbering = number and '(..) => "' .. number .. '"' or 'none'
  local supplement = header.attributes.appendix and 'Appendix' or 'Chapter'
  local start = ('#heading(level: %d, numbering: %s, supplement: [%s])['):format(
    header.level, numbering, header.level == 1 and supplement or 'Section')
  local label = header.identifier ~= '' and '<' .. header.identifier .. '>' or ''
  return pandoc.Plain(
    List({ raw(start) }) .. header.content .. { raw(']' .. label .. '\n') })
end

function typst.Image(image)
  local alt = image.attributes['fig-alt']
  if not alt or alt == '' then alt = pandoc.utils.stringify(image.caption) end
  local width = image.attributes.width
  if width and width:match('%%$') then
    width = 'width: ' .. width .. ', '
  else
    width = width and 'natural: ' .. width:gsub('px', 'pt') .. ', ' or ''
  end
  return raw('#picture(' .. quoted(image.src) .. ', ' .. width
    .. 'alt: ' .. quoted(alt) .. ')')
end

-- A picture alone in its paragraph, without number and caption.
function typst.Para(para)
  local only = #para.content == 1 and para.content[1]
  if not only or only.t ~= 'RawInline' or not only.text:match('^#picture') then return nil end
  return raw_block('#align(center, ' .. only.text:sub(2) .. ')')
end

-- Some of the symbols that pandoc writes have new names in Typst.
local RENAMED = { ['dot%.circle'] = 'dot.o', ['times%.circle'] = 'times.o',
                  ['minus%.circle'] = 'minus.o', ['%f[%a]sect%f[%A]'] = 'inter' }

local function renamed(symbols)
  for old, new in pairs(RENAMED) do symbols = symbols:gsub(old, new) end
  return symbols
end

-- Words within quotation marks are the author's.
function typst.Math(math)
  local text = pandoc.write(pandoc.Pandoc({ pandoc.Plain({ math }) }), 'typst')
  text = ('""' .. text:gsub('\\"', '\1')):gsub('("[^"]*")([^"]*)', function(words, symbols)
    return words .. renamed(symbols)
  end)
  return raw((text:sub(3):gsub('\1', '\\"'):gsub('%s+$', '')))
end

function typst.Code(code)
  return raw('#raw(' .. quoted(code.text) .. ')')
end

function typst.Span(span)
  if not span.classes:includes('small') then return nil end
  return List({ raw('#small[') }) .. span.content .. { raw(']') }
end

function typst.DefinitionList(list)
  local blocks = List()
  for _, item in ipairs(list.content) do
    local word, meaning = item[1], pandoc.utils.blocks_to_inlines(item[2][1])
    blocks:insert(pandoc.Plain(
      List({ raw('#entry[') }) .. word .. { raw('][') } .. meaning .. { raw(']') }))
  end
  return blocks
end

-- Behind a digit Typst would make a prime of it.
function typst.Str(str)
  local before, after = str.text:match('^(.*%d)\u{2019}(.*)$')
  return before and List({ pandoc.Str(before), raw('\\u{2019}'), pandoc.Str(after) })
end

local function is_words(block) return block.t == 'Plain' or block.t == 'Para' end

-- The blocks of a row: words in one block, lists, code and so on in their own.
local function typst_row(row)
  local blocks = List()
  for _, cell in ipairs(row.cells) do
    local span = ''
    if cell.col_span > 1 then span = 'colspan: ' .. cell.col_span .. ', ' end
    if cell.row_span > 1 then span = span .. 'rowspan: ' .. cell.row_span .. ', ' end
    local open = raw(span ~= '' and 'table.cell(' .. span .. ')[' or '[')
    local only_words = true
    for _, block in ipairs(cell.contents) do only_words = only_words and is_words(block) end
    if only_words then
      local words = pandoc.utils.blocks_to_inlines(cell.contents, { pandoc.LineBreak() })
      blocks:insert(pandoc.Plain(List({ open }) .. words .. { raw('], ') }))
    else
      blocks:extend({ pandoc.Plain({ open }) } .. cell.contents .. { raw_block('], ') })
    end
  end
  return blocks
end

local function rows_of(rows)
  local blocks = List()
  for _, row in ipairs(rows) do blocks:extend(typst_row(row)) end
  return blocks
end

-- Plain blocks in a row, as one: there is no need for an empty line between them.
local function joined(blocks)
  local result = List()
  for _, block in ipairs(blocks) do
    local last = result[#result]
    if block.t == 'Plain' and last and last.t == 'Plain' then
      last.content:extend(block.content)
    else
      result:insert(block)
    end
  end
  return result
end

function typst.Table(tbl)
  local sides = { AlignRight = 'right', AlignCenter = 'center' }
  local aligns = tbl.colspecs:map(function(spec) return sides[spec[1]] or 'left' end)
  local blocks = List()
  local function write(text) blocks:insert(pandoc.Plain({ raw(text) })) end
  write(('#table(columns: %d, align: (%s,), '):format(#aligns, table.concat(aligns, ', ')))
  if #tbl.head.rows > 0 then
    write('table.header(')
    blocks:extend(rows_of(tbl.head.rows))
    write('), table.hline(stroke: fine-rule), ')
  end
  for _, body in ipairs(tbl.bodies) do
    blocks:extend(rows_of(body.head) .. rows_of(body.body))
  end
  if #tbl.foot.rows > 0 then
    write('table.hline(stroke: fine-rule), ')
    blocks:extend(rows_of(tbl.foot.rows))
  end
  write('table.hline(stroke: strong-rule))')
  return joined(blocks)
end

-- Typst breaks code lines at spaces only; cut what has none for longer than a line.
local function cut_long_words(text, limit)
  return (text:gsub('%S+', function(word)
    if #word <= limit then return word end
    local pieces, length = List(), utf8.len(word)
    if not length then return word end
    for start = 1, length, limit do
      local stop = math.min(start + limit, length + 1)
      pieces:insert(word:sub(utf8.offset(word, start), utf8.offset(word, stop) - 1))
    end
    return table.concat(pieces, '\n')
  end))
end

function typst.CodeBlock(code)
  if code.attributes['code-fold'] == 'true' then return {} end  -- paper can't unfold
  local language = code.classes:find_if(function(class)
    return class ~= 'cell-code' and class ~= 'output' and class:match('^std') == nil
  end)
  local arguments = 'block: true, '
  if language and language ~= 'text' then
    arguments = arguments .. 'lang: "' .. language .. '", '
  end
  local body = 'raw(' .. arguments .. quoted(cut_long_words(code.text, 86)) .. ')'
  local quiet = code.classes:includes('output')
  local faint = code.classes:includes('stderr') and 'faint: true, ' or ''
  return raw_block(quiet and '#output(' .. faint .. body .. ')' or '#' .. body)
end

function typst.equation(div)
  local number = div.attributes.number
  return pandoc.Plain(
    List({ raw('#[#set math.equation(numbering: (..) => "(' .. number .. ')")\n') })
    .. div.content[1].content .. { raw(' <' .. div.identifier .. '>]\n') })
end

-- A short table stays on one page, a long one is broken.
local function is_short(content)
  local rows = 0
  pandoc.Blocks(content):walk({
    Table = function(tbl)
      for _, body in ipairs(tbl.bodies) do rows = rows + #body.body end
    end,
  })
  return rows <= 16
end

function typst.float(kind, div, content, caption)
  local number = div.attributes.number
  local whole = kind == 'tbl' and is_short(content)
      and '#show figure: set block(breakable: false)\n'
      or kind == 'tbl' and '#show: long-table\n' or ''
  local place = div.classes:includes('here') and 'placement: none, ' or ''
  local start = ('#[%s#figure(%skind: %s, supplement: [%s], numbering: %s, caption: ['):format(
    whole, place, kind == 'tbl' and 'table' or 'image', div.attributes.name or '',
    number and '(..) => "' .. number .. '"' or 'none')
  local label = div.identifier ~= '' and '<' .. div.identifier .. '>' or ''
  local blocks = List({ pandoc.Plain(
    List({ raw(start) }) .. caption .. { raw('], [') }) })
  for _, block in ipairs(content) do
    blocks:insert(block.t == 'Para' and pandoc.Plain(block.content) or block)
    blocks:insert(raw_block(''))
  end
  return blocks .. { raw_block('])' .. label .. ']') }
end

-- How long the chapter took and on what, below its title.
function typst.facts(div)
  return List({ raw_block('#facts[') }) .. div.content .. { raw_block(']') }
end

-- A page for the teacher.
function typst.teacher(div)
  return List({ raw_block('#teacher[') }) .. div.content .. { raw_block(']') }
end

function typst.callout(div, kind, title)
  local head = List({ raw('#callout("' .. kind .. '", [') }) .. title .. { raw('], [') }
  return List({ pandoc.Plain(head) }) .. div.content .. { raw_block('])') }
end

return typst
