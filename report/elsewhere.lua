-- A summary holds a part of its chapter, and a chapter alone a part of the book: words for
-- the references to the rest.

local List = pandoc.List
local WORDS = { fig = 'a figure', tbl = 'a table', eq = 'an equation', sec = 'a section' }

-- `is_here(id)` says whether it is at hand, `in_chapter` has the labels of a summary's
-- chapter, `titles` those of other chapters.
return function(is_here, in_chapter, titles)
  local function label_of(citation)
    local label = citation.id:sub(1, 1):lower() .. citation.id:sub(2)
    return WORDS[label:match('^(%a+)%-.')] and label
  end

  local function outside(citation)
    local label = label_of(citation)
    return label and not is_here(label)
  end

  local function inside(citation) return not outside(citation) end

  local function place(citation)
    local label = label_of(citation)
    local title = titles[label] and pandoc.utils.stringify(titles[label])
    if title then return 'the chapter \u{201c}' .. title .. '\u{201d}' end
    return in_chapter[label] and 'the chapter' or 'another chapter'
  end

  -- A chapter is named by its title, and else by what is in it.
  local function thing(citation)
    local label = label_of(citation)
    if titles[label] then return place(citation) end
    return WORDS[label:match('^%a+')] .. ' in ' .. place(citation)
  end

  local function begins_sentence(before)
    local last = before[#before]
    if last and (last.t == 'Space' or last.t == 'SoftBreak') then last = before[#before - 1] end
    return not last or last.t == 'Str' and last.text:match('[.!?]$')
  end

  -- `@fig-x`, with what pandoc takes for a part of it in brackets behind it.
  local function mention(cite, before)
    local first = cite.citations[1]
    local words = thing(first)
    if begins_sentence(before) then words = words:gsub('^%l', string.upper) end
    local rest = List(cite.citations):filter(function(other) return other ~= first end)
    return List({ pandoc.Str(words) })
      .. (#rest > 0 and { pandoc.Space(), pandoc.Cite({}, rest) } or {})
  end

  local function words_for(cite, before)
    local first, kept = cite.citations[1], List(cite.citations):filter(inside)
    if #kept == #cite.citations then return { cite } end
    if first.mode == 'AuthorInText' and outside(first) then return mention(cite, before) end
    return { #kept > 0 and pandoc.Cite({}, kept) or pandoc.Str(place(first)) }
  end

  -- The references in brackets, such as `(see @fig-x and @tbl-y)`, and the number of what
  -- closes them; nil if there is more in the brackets.
  local function aside(inlines, number)
    local cites = List()
    for i = number, #inlines do
      local item = inlines[i]
      if item.t == 'Str' and item.text:match('^%)') then return cites, i end
      if item.t == 'Cite' then cites:extend(item.citations)
      elseif item.t == 'Str' and item.text ~= ',' and item.text ~= 'and' then return nil end
    end
  end

  -- What stands in the brackets in the place of these citations; nil if all are here.
  local function words_in_brackets(cites)
    local kept, words = cites:filter(inside), List()
    if #cites == 0 or #kept == #cites then return nil end
    if #kept == 0 then return { pandoc.Str('in ' .. place(cites[1])) } end
    for _, citation in ipairs(kept) do
      if #words > 0 then words:extend({ pandoc.Str(','), pandoc.Space() }) end
      words:insert(pandoc.Cite({}, { citation }))
    end
    return words
  end

  local function in_words(inlines)
    local result, i = List(), 1
    while i <= #inlines do
      local item, words, closing = inlines[i], nil, nil
      local text = item.t == 'Str' and item.text or ''
      local opening = text:match('^(.*%()$') or text:match('^(.*%()see$')
      if opening then
        local cites
        cites, closing = aside(inlines, i + 1)
        words = cites and words_in_brackets(cites)
      end
      if words then
        result:insert(pandoc.Str(opening))
        result:extend(words)
        i = closing
      else
        result:extend(item.t == 'Cite' and words_for(item, result) or { item })
        i = i + 1
      end
    end
    return pandoc.Inlines(result)
  end

  return {
    Inlines = in_words,
    Link = function(link)
      local id = link.target:match('^#(.+)$')
      return id and not is_here(id) and link.content or nil
    end,
  }
end
