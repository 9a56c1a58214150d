-- Signs that a keyboard lacks: the minus and the times of numbers in prose, and a space
-- between a number and its % that breaks no line. Code and formulas stay as they are.

local List = pandoc.List

local function is_number(item) return item and item.t == 'Str' and item.text:match('^%d') end

return {
  Inlines = function(inlines)
    local result = List()
    for i, item in ipairs(inlines) do
      local before, after = inlines[i - 2], inlines[i + 2]
      if item.t == 'Str' then
        local text = item.text:gsub('^([%[%(]?)%-(%d)', '%1\u{2212}%2')
        if text == 'x' and is_number(before) and is_number(after) then text = '\u{d7}' end
        item = pandoc.Str(text)
      elseif item.t == 'Space' and is_number(inlines[i - 1]) and inlines[i + 1]
          and inlines[i + 1].t == 'Str' and inlines[i + 1].text:match('^%%') then
        item = pandoc.Str('\u{a0}')
      end
      result:insert(item)
    end
    return pandoc.Inlines(result)
  end,
}
