-- The first use of each word of the glossary, in each chapter's prose, leads to it.
--
-- A word is a Span of the glossary, `[**AP**]{#term-ap also="average precision"}`: what
-- it holds, what `also` adds (several with `;` between), in any case of the first
-- letter and with an s. With the class `emphasised` only what stands in italics counts.
-- Headings, captions, tables, code, formulas, notes and links are left as they are.

local stringify = pandoc.utils.stringify
local List = pandoc.List
local glossary = {}

local function words_of(text)
  local words = List()
  for word in text:gmatch('%S+') do words:insert(word) end
  return words
end

-- The words that a page explains, each with the id of its place.
function glossary.terms(blocks)
  local terms = List()
  pandoc.Blocks(blocks):walk({
    Span = function(span)
      if not span.identifier:match('^term%-') then return nil end
      local forms = stringify(span.content) .. ';' .. (span.attributes.also or '')
      for form in forms:gmatch('[^;]+') do
        terms:insert({ id = span.identifier, words = words_of(form),
                       emphasised = span.classes:includes('emphasised') })
      end
    end,
  })
  terms:sort(function(a, b) return #a.words > #b.words end)  -- the longer one wins
  return terms
end

local function same(text, word)
  return text:sub(1, 1):lower() == word:sub(1, 1):lower() and text:sub(2) == word:sub(2)
end

-- What follows the word in `text`: "" or its s, and what is no part of a word.
local function ending(text, word)
  if not same(text:sub(1, #word), word) then return nil end
  local plural, rest = text:sub(#word + 1):match('^(s?)(.*)$')
  if rest == '' or rest:match('^[%.,;:%)%]!?]') or rest:match('^\u{2019}') then
    return plural, rest
  end
end

-- The inlines of `term` at place `i`: what is before, what is linked, what is behind,
-- and the place of the last; nil if another word stands there.
local function found_at(inlines, i, term)
  local linked, before = List(), ''
  for k, word in ipairs(term.words) do
    local item = inlines[i + 2 * (k - 1)]
    if not item or item.t ~= 'Str' then return nil end
    local text = item.text
    if k == 1 then before, text = text:match('^([%(%[\u{201c}]*)(.*)$') end
    if k > 1 then linked:insert(pandoc.Space()) end
    if k == #term.words then
      local plural, rest = ending(text, word)
      if not plural then return nil end
      linked:insert(pandoc.Str(text:sub(1, #word) .. plural))
      return before, linked, rest, i + 2 * (k - 1)
    end
    local gap = inlines[i + 2 * k - 1]
    local parted = gap and (gap.t == 'Space' or gap.t == 'SoftBreak')
    if not parted or not same(text, word) then return nil end
    linked:insert(pandoc.Str(text))
  end
end

-- The blocks with links; `target(id)` is the address of a word's place.
function glossary.link(blocks, terms, target)
  local seen = {}
  local in_blocks

  local function link_at(inlines, i, italic)
    for _, term in ipairs(terms) do
      if not seen[term.id] and (italic or not term.emphasised) then
        local before, linked, rest, last = found_at(inlines, i, term)
        if linked then
          seen[term.id] = true
          local link = pandoc.Link(linked, target(term.id), '', { class = 'term' })
          local parts = List({ pandoc.Str(before), link, pandoc.Str(rest) })
          return parts:filter(function(part) return part.t ~= 'Str' or part.text ~= '' end), last
        end
      end
    end
  end

  local function in_inlines(inlines, italic)
    local result, i = List(), 1
    while i <= #inlines do
      local item = inlines[i]
      local parts, last = link_at(inlines, i, italic)
      if not parts and (item.t == 'Emph' or item.t == 'Strong' or item.t == 'Quoted') then
        item.content = in_inlines(item.content, italic or item.t == 'Emph')
      end
      result:extend(parts or { item })
      i = (last or i) + 1
    end
    return pandoc.Inlines(result)
  end

  local function in_block(block)
    if block.t == 'Para' or block.t == 'Plain' then
      block.content = in_inlines(block.content, false)
    elseif block.t == 'BulletList' or block.t == 'OrderedList' then
      block.content = block.content:map(in_blocks)
    elseif block.t == 'BlockQuote' or block.t == 'Div' and block.identifier == ''
        and not block.classes:includes('run-facts') then
      block.content = in_blocks(block.content)
    end
    return block
  end

  in_blocks = function(some) return pandoc.Blocks(List(some):map(in_block)) end
  return in_blocks(blocks)
end

-- Whether a file of the book, such as `build/smoke/01_name.ipynb`, is a chapter.
function glossary.is_chapter(file)
  return pandoc.path.filename(file):match('^%d%d_') ~= nil
end

return glossary
