-- From Quarto-flavoured Markdown to a book, for HTML and for Typst.
--
-- Each chapter goes through three passes:
--   normalise  brings the ways to write a figure, table, equation or callout to one
--   number     counts chapters, sections and floats, and remembers every label
--   resolve    turns @fig-x into a link, and checks links and citations
-- and in the end `html.lua` or `typst.lua` writes what pandoc's own writers cannot. The
-- numbers are set here, so that both formats have the same. All mistakes are reported,
-- each in a line of its own, before pandoc fails.
--
-- Two renderers run it. The embedded one gives it a list of code blocks, one for each
-- chapter, `{.chapter file="..." appendix="True|False" folder="..."}`. Quarto, which
-- makes its PDF with it, gives it all chapters in a row, with a mark before each; its
-- web book has numbers and references by Quarto itself (see `quarto.lua`).

local stringify = pandoc.utils.stringify
local List = pandoc.List
package.path = pandoc.path.directory(PANDOC_SCRIPT_FILE) .. '/?.lua;' .. package.path
local formats = { typst = 'typst', commonmark = 'markdown' }
local format = require(formats[FORMAT] or 'html')
local glossary = require('glossary')
local signs = FORMAT ~= 'commonmark' and require('signs') or {}

local NAMES = {
  fig = 'Figure', tbl = 'Table', eq = 'Equation', sec = 'Section',
  note = 'Note', tip = 'Tip', warning = 'Warning', important = 'Important',
  caution = 'Caution',
}
local labels = {}     -- label -> { kind, number, text, file }
local used_ids = {}   -- every id of the book
local problems = {}
local number_depth = 3
local loose = false   -- a summary has no numbers, and names its sections

local function problem(file, message)
  io.stderr:write('problem: ', file, ': ', message, '\n')
  problems[#problems + 1] = message
end

local function kind_of(label)
  local kind = label:match('^(%a+)%-.')
  kind = kind and kind:lower()
  return (kind == 'fig' or kind == 'tbl' or kind == 'eq' or kind == 'sec') and kind
end

local function proper(label)  -- @Fig-x at the start of a sentence is @fig-x
  return label:sub(1, 1):lower() .. label:sub(2)
end

local function inlines_of(markdown)
  return pandoc.utils.blocks_to_inlines(pandoc.read(markdown, 'markdown').blocks)
end

-- Check: what Jupyter, the web book and the PDF would not show alike -----------------

local KINDS = { html = 'raw HTML, which a PDF cannot show',
                tex = 'raw TeX, which a web page cannot show' }

-- The first words of the line in a paragraph that begins with its `i`th inline.
local function words_from(content, i)
  local words = List()
  while content[i] and (content[i].t == 'Str' or content[i].t == 'Space') and #words < 9 do
    words:insert(stringify(content[i]))
    i = i + 1
  end
  return table.concat(words)
end

local function checker(file)
  local named = {}
  local function check_raw(raw)
    local text = raw.text:match('^%s*([^\n]*)'):gsub('%s+$', '')
    if text:match('^<br%s*/?>$') then return pandoc.LineBreak() end
    if text:match('^<!%-%-') then return nil end
    local tag = text:match('^</?%a+') or text
    if not text:match('^</') and not named[tag] then
      named[tag] = true
      local kind = KINDS[raw.format] or 'shown in one format only'
      problem(file, text:sub(1, 60) .. ': ' .. kind .. '; write Markdown')
    end
  end
  return {
    RawInline = check_raw, RawBlock = check_raw,
    Para = function(para)
      local content = para.content
      for i = 2, #content - 1 do
        local text = content[i].t == 'Str' and content[i].text or ''
        local opens = text:match('^[-*+]$') or text:match('^1[.)]$') or text:match('^#+$')
        if opens and content[i - 1].t == 'SoftBreak' and content[i + 1].t == 'Space' then
          problem(file, words_from(content, i) .. ': a list or heading to Jupyter, not '
            .. 'to the book; put an empty line before it')
        end
      end
    end,
  }
end

-- Normalise: one form for each thing -----------------------------------------------

local function float(id, content, caption)
  local blocks = List(content)
  if #caption > 0 then blocks:insert(pandoc.Para(caption)) end
  return pandoc.Div(blocks, pandoc.Attr(id))
end

-- A paragraph that holds `$$ ... $$ {#eq-x}`: the equation becomes a Div of its own.
local function split_equations(para)
  local blocks, inlines, found = List(), List(), false
  local content = para.content
  local i = 1
  local function flush()
    while #inlines > 0 and (inlines[#inlines].t == 'SoftBreak'
                            or inlines[#inlines].t == 'Space') do
      inlines:remove()
    end
    if #inlines > 0 then blocks:insert(pandoc.Para(inlines)) end
    inlines = List()
  end
  while i <= #content do
    local here, label, rest = content[i], nil, nil
    if here.t == 'Math' and here.mathtype == 'DisplayMath' then
      local skip = content[i + 1] and content[i + 1].t:match('Space$') and 2
          or content[i + 1] and content[i + 1].t == 'SoftBreak' and 2 or 1
      local mark = content[i + skip]
      if mark and mark.t == 'Str' then
        label, rest = mark.text:match('^{#(eq%-[%w_-]+)}(.*)$')
      end
      if label then
        found = true
        flush()
        blocks:insert(pandoc.Div({ pandoc.Plain({ here }) }, pandoc.Attr(label)))
        if rest ~= '' then inlines:insert(pandoc.Str(rest)) end
        i = i + skip + 1
        while rest == '' and content[i]
            and (content[i].t == 'SoftBreak' or content[i].t == 'Space') do
          i = i + 1
        end
      end
    end
    if not label then
      inlines:insert(here)
      i = i + 1
    end
  end
  flush()
  return found and blocks or nil
end

local function normalise_callout(div)
  local kind = nil
  for _, class in ipairs(div.classes) do kind = kind or class:match('^callout%-(%a+)$') end
  if not kind then return nil end
  local title = div.attributes.title and inlines_of(div.attributes.title)
  local first = div.content[1]
  if not title and first and first.t == 'Header' then
    title = first.content
    div.content:remove(1)
  end
  div.content:insert(1, pandoc.Plain(title or { pandoc.Str(NAMES[kind] or kind) }))
  div.classes = { 'callout', 'callout-' .. kind }
  return div
end

local normalise = {
  Para = split_equations,
  Figure = function(figure)
    return float(figure.identifier, figure.content,
      pandoc.utils.blocks_to_inlines(figure.caption.long))
  end,
  Table = function(tbl)
    local caption = pandoc.utils.blocks_to_inlines(tbl.caption.long)
    local id = tbl.identifier
    local last = caption[#caption]
    if id == '' and last and last.t == 'Str' then  -- Quarto's reader leaves it there
      id = last.text:match('^{#(tbl%-[%w_-]+)}$') or ''
      if id ~= '' then caption:remove() end
    end
    if not kind_of(id) and #caption == 0 then return nil end
    tbl.identifier, tbl.caption = '', pandoc.Caption({})
    return float(id, { tbl }, caption)
  end,
  Div = normalise_callout,
}

-- Number: chapters, sections, floats -------------------------------------------------

local chapters, appendices = 0, 0
local front = {}  -- what stands in chapters without a number is counted through them

local function register(label, entry, file)
  local earlier = labels[label]
  if earlier then
    local also = earlier.file == file and '' or ' (also in ' .. earlier.file .. ')'
    problem(file, 'the label ' .. label .. ' is used twice' .. also)
  else
    entry.file = file
    labels[label] = entry
  end
end

-- Numbers such as ² and ① are none to Typst, which takes no label with them.
local function labelled(id)
  local kept = List()
  for _, code in utf8.codes(id) do
    local odd = code == 0xb2 or code == 0xb3 or code == 0xb9 or code >= 0xbc and code <= 0xbe
      or code >= 0x2070 and code <= 0x209c or code >= 0x2150 and code <= 0x215f
      or code >= 0x2460 and code <= 0x24ff or code >= 0x2776 and code <= 0x2793
      or code >= 0x3220 and code <= 0x33ff or code >= 0x1f100 and code <= 0x1f1ff
    if not odd then kept:insert(utf8.char(code)) end
  end
  return #kept > 0 and table.concat(kept) or 'section'
end

-- Two chapters may both have a section "Exercises": the second one's id gets a number.
local function unique(id, renamed)
  local base = labelled(id)
  local fresh, count = base, 1
  while used_ids[fresh] do
    count = count + 1
    fresh = base .. '-' .. count
  end
  if fresh ~= id then renamed[id] = renamed[id] or fresh end
  used_ids[fresh] = true
  return fresh
end

local function number_header(header, state)
  local numbered = not header.classes:includes('unnumbered')
  local level, is_section = header.level, kind_of(header.identifier) == 'sec'
  if level == 1 then
    state.titled, state.chapter = true, nil
    if numbered and state.appendix then
      appendices = appendices + 1
      state.chapter = string.char(64 + appendices)
    elseif numbered then
      chapters = chapters + 1
      state.chapter = tostring(chapters)
    end
    state.counts, state.depths = state.chapter and {} or front, {}
  end
  local number = level == 1 and state.chapter or nil
  if level > 1 and level <= number_depth and numbered and state.chapter then
    local parts = List({ state.chapter })
    for depth = 2, level - 1 do parts:insert(tostring(state.depths[depth] or 0)) end
    state.depths[level] = (state.depths[level] or 0) + 1
    parts:insert(tostring(state.depths[level]))
    for depth = level + 1, 6 do state.depths[depth] = nil end
    number = table.concat(parts, '.')
  end
  if number then header.attributes.number = number end
  if level == 1 and state.appendix then header.attributes.appendix = 'true' end
  local text = stringify(header.content)
  if is_section then
    local name = level > 1 and 'Section' or state.appendix and 'Appendix' or 'Chapter'
    local entry = { kind = 'sec', name = name, number = number, text = text }
    register(header.identifier, entry, state.file)
    used_ids[header.identifier] = true
  elseif header.identifier ~= '' then
    header.identifier = unique(header.identifier, state.renamed)
  end
  return header
end

local function has(div, tag)
  local found = false
  div:walk({ [tag] = function() found = true end })
  return found
end

local function number_float(div, state)
  local kind = kind_of(div.identifier)
  if not kind or kind == 'sec' then return nil end
  if kind == 'fig' and not has(div, 'Image') then
    problem(state.file, div.identifier .. ': the cell or block shows no picture')
  elseif kind == 'tbl' and not has(div, 'Table') then
    problem(state.file, div.identifier .. ': the cell or block shows no table')
  end
  state.counts[kind] = (state.counts[kind] or 0) + 1
  local number = (state.chapter and state.chapter .. '.' or '') .. state.counts[kind]
  div.attributes.number, div.attributes.name = number, NAMES[kind]
  register(div.identifier, { kind = kind, name = NAMES[kind], number = number }, state.file)
  used_ids[div.identifier] = true
  return div
end

-- Resolve: references, links, citations ----------------------------------------------

local function reference(citation, file)
  local label = proper(citation.id)
  local target = labels[label]
  if not target then
    problem(file, '@' .. citation.id .. ': no such ' .. NAMES[kind_of(label)]:lower())
    return List({ pandoc.Str('?' .. citation.id) })
  elseif not target.number and not loose then
    problem(file, '@' .. citation.id .. ': this heading has no number; write a link, ['
      .. target.text .. '](#' .. label .. ')')
    return List({ pandoc.Str('?' .. citation.id) })
  end
  local words = target.number or target.text
  if target.number and citation.mode ~= 'SuppressAuthor' then
    words = target.name .. '\u{a0}' .. target.number
  end
  local link = pandoc.Link({ pandoc.Str(words) }, '#' .. label, '', { class = 'ref' })
  local prefix, suffix = List(citation.prefix), List(citation.suffix)
  if #prefix > 0 then prefix:insert(pandoc.Space()) end
  return prefix .. { link } .. suffix
end

local function resolver(state, keys)
  return {
    Cite = function(cite)
      local result, rest = List(), List()
      for _, citation in ipairs(cite.citations) do
        if kind_of(proper(citation.id)) then
          if #result > 0 then result:extend({ pandoc.Str(','), pandoc.Space() }) end
          result:extend(reference(citation, state.file))
        else
          rest:insert(citation)
          if not keys[citation.id] then
            problem(state.file, '@' .. citation.id .. ': not in the bibliography')
          end
        end
      end
      if #result == 0 then return nil end
      -- `@fig-x [@key]` is one citation to pandoc
      if #rest > 0 then result:extend({ pandoc.Space(), pandoc.Cite({}, rest) }) end
      return result
    end,
    Link = function(link)
      local id = link.target:match('^#(.+)$')
      if not id then return nil end
      id = state.renamed[id] or id
      link.target = '#' .. id
      if not used_ids[id] then problem(state.file, 'the link #' .. id .. ' leads nowhere') end
      return link
    end,
    Image = function(image)
      if image.src:match('^%a[%w+.-]+:') then
        problem(state.file, 'a picture from the network: ' .. image.src)
        return nil
      end
      image.src = pandoc.path.normalize(pandoc.path.join({ state.folder, image.src }))
      local file = io.open(image.src, 'rb')
      if file then file:close() else
        problem(state.file, 'no such picture: ' .. image.src)
      end
      return image
    end,
  }
end

-- Emit: what the two formats share -----------------------------------------------------

-- The last paragraph of a float is its caption; a picture without words for those who
-- cannot see it takes them from there.
local function emit_float(kind, div)
  local content, caption = List(div.content), List()
  local last = content[#content]
  if #content > 1 and last.t == 'Para' and not has(last, 'Image') then
    caption = last.content
    content:remove()
  end
  local words = stringify(caption)
  content = pandoc.Blocks(content):walk({
    Image = function(image)
      local alt = image.attributes['fig-alt']
      if not alt or alt == '' then image.attributes['fig-alt'] = words end
      return format.Image(image)
    end,
  })
  return format.float(kind, div, content, caption)
end

local function emit_div(div)
  local kind = kind_of(div.identifier)
  if kind == 'eq' then return format.equation(div) end
  if kind == 'fig' or kind == 'tbl' then return emit_float(kind, div) end
  if div.classes[1] == 'callout' then
    local title = div.content[1].content
    div.content:remove(1)
    return format.callout(div, div.classes[2]:sub(9), title)
  end
  if div.classes:includes('run-facts') and format.facts then return format.facts(div) end
  if div.classes:includes('teacher') and format.teacher then return format.teacher(div) end
  if div.identifier == '' and #div.classes == 0 and #div.content == 2
      and div.content[1].t == 'Table' then
    return emit_float('tbl', div)  -- captioned, but without a label
  end
  if div.identifier == '' and #div.classes == 0 and has(div, 'Image') then
    return emit_float('fig', div)
  end
  return nil
end

-- No line ends between a number and its per cent sign.
local function glue_percent(inlines)
  for i = 2, #inlines - 1 do
    local before, gap, sign = inlines[i - 1], inlines[i], inlines[i + 1]
    if (gap.t == 'Space' or gap.t == 'SoftBreak') and sign.t == 'Str'
        and sign.text:match('^%%') and stringify(before):match('%d$') then
      inlines[i] = pandoc.Str('\u{a0}')
    end
  end
  return inlines
end

local emit_floats = { Div = emit_div }
local emit_rest = {
  Header = format.Header, Table = format.Table, CodeBlock = format.CodeBlock,
  Image = format.Image, Span = format.Span, Math = format.Math, Code = format.Code,
  Para = format.Para, DefinitionList = format.DefinitionList, Str = format.Str,
  Inlines = glue_percent,
}

-- The book ----------------------------------------------------------------------------

local function read_chapter(block)
  local doc = pandoc.read(block.text, 'markdown')
  if doc.meta.title then
    local id = stringify(doc.meta.id or '')
    doc.blocks:insert(1, pandoc.Header(1, doc.meta.title, pandoc.Attr(id)))
  end
  return {
    blocks = doc.blocks, file = block.attributes.file,
    folder = block.attributes.folder, appendix = block.attributes.appendix == 'True',
    kept = block.attributes.kept == 'True',
  }
end

-- What the rest of the book needs of a chapter that is at hand: headings that begin one,
-- and citations.
local function outline(blocks)
  local headers, cites = List(), List()
  blocks:walk({
    Header = function(header) if header.level == 1 then headers:insert(header) end end,
    Cite = function(cite) cites:insert(cite) end,
  })
  return pandoc.Blocks(headers .. { pandoc.Plain(cites) })
end

-- Quarto only: the chapters between its marks. What stands in a `.quarto-book-part` are
-- dividers, such as the page "Appendices", which this book has not.
local function read_quarto(blocks)
  local chapters, appendix, marks = List(), false, quarto.utils.file_metadata_filter()
  for _, block in ipairs(blocks) do
    if block.t == 'Div' and block.classes:includes('quarto-book-part') then
      block:walk({ RawBlock = marks.RawBlock })
      appendix = appendix or quarto.doc.file_metadata().file.bookItemType == 'appendix'
    elseif block.t == 'RawBlock' and block.text:match('quarto%-file%-metadata') then
      marks.RawBlock(block)
      local name = quarto.doc.file_metadata().file.bookItemFile or ''
      local folder = pandoc.path.directory(name)
      chapters:insert({ blocks = List(), file = name, folder = folder, appendix = appendix })
    elseif #chapters > 0 then
      chapters[#chapters].blocks:insert(block)
    end
  end
  return chapters:filter(function(chapter) return #chapter.blocks > 0 end)
end

-- Links from the chapters to the glossary, where the book has one.
local function link_terms(states)
  local terms = List()
  for _, state in ipairs(states) do terms:extend(glossary.terms(state.blocks)) end
  for _, state in ipairs(states) do
    if glossary.is_chapter(state.file) then
      state.blocks = glossary.link(state.blocks, terms, function(id) return '#' .. id end)
    end
  end
end

local function prepare_chapter(state)
  state.counts, state.depths, state.renamed = {}, {}, {}
  local checked = pandoc.Blocks(state.blocks)
  if not rawget(_G, 'quarto') then checked = checked:walk(checker(state.file)) end
  state.blocks = checked:walk(normalise):walk({
    traverse = 'topdown',
    Header = function(header) return number_header(header, state) end,
    Div = function(div) return number_float(div, state) end,
  })
  state.blocks:walk({
    Div = function(div) used_ids[div.identifier] = true end,
    Span = function(span) used_ids[span.identifier] = true end,
  })
  if not state.titled then
    problem(state.file, 'has no title; expected a line `# Title {#sec-name}`')
  end
  return state
end

-- The keys of the bibliography that the book cites.
local function known_keys(states, meta)
  local everything, keys = List(), {}
  for _, state in ipairs(states) do everything:extend(state.blocks) end
  for _, entry in ipairs(pandoc.utils.references(pandoc.Pandoc(everything, meta))) do
    keys[entry.id] = true
  end
  return keys
end

-- Summaries and single chapters: words for what they refer to and do not hold.
local function elsewhere(meta)
  local chapter, titles = {}, meta['chapter-titles'] or {}
  for _, label in ipairs(meta['chapter-labels']) do chapter[stringify(label)] = true end
  local function is_here(id) return labels[id] or used_ids[id] end
  return require('elsewhere')(is_here, chapter, titles)
end

function Pandoc(doc)
  local meta = doc.meta
  number_depth = tonumber(stringify(meta['number-depth'] or '3'))
  loose = meta.unnumbered
  chapters = tonumber(stringify(meta['chapters-before'] or '0'))
  format.code_summary = stringify(meta['code-summary'] or 'Code')
  local by_quarto = rawget(_G, 'quarto') ~= nil
  local states = by_quarto and read_quarto(doc.blocks) or doc.blocks:map(read_chapter)
  link_terms(states)
  states = states:map(prepare_chapter)
  local keys, blocks = known_keys(states, meta), List()
  for _, state in ipairs(states) do
    if meta['chapter-labels'] then state.blocks = state.blocks:walk(elsewhere(meta)) end
    local resolved = state.blocks:walk(resolver(state, keys))
    if state.kept then resolved = outline(resolved) end
    blocks:extend(resolved:walk(signs):walk(emit_floats):walk(emit_rest))
  end
  if #problems > 0 then os.exit(1) end
  local finish = format.finish or function(whole) return whole end
  return finish(pandoc.Pandoc(blocks, meta))
end
