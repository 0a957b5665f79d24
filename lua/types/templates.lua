---@meta _
-- templates.lua - Mustache and Markdown (docs/templates.md).

---@class pl
local pl = {}

---@alias pl.Partials table<string, string>

---Gives the text, or nil, err.
---@class pl.Mustache
---@overload fun(text: string, data?: any, partials?: pl.Partials): string?
pl.mustache = {}

---The text of a file's template.
---@async
---@param name string below the folder of templates
---@param data? any
---@return string?, pl.Error? err
function pl.mustache.file(name, data) end

---@class pl.MarkdownOptions
---@field html? boolean the author is trusted
---@field hard_breaks? boolean
---@field tables? boolean
---@field strikethrough? boolean
---@field tasks? boolean
---@field autolinks? boolean

---@class pl.MarkdownPagesOptions: pl.MarkdownOptions
---@field root string
---@field layout? string
---@field index? string
---@field data? table

---HTML, and the text of the first heading; or nil, err.
---@class pl.Markdown
---@overload async fun(text: string, options?: pl.MarkdownOptions): string?
pl.markdown = {}

---html, title, fields; or nil, err.
---@async
---@param path string
---@param options? pl.MarkdownOptions
---@return string?, string|pl.Error?, table<string, string>?
function pl.markdown.file(path, options) end

---The .md files of a folder as pages.
---@param prefix string
---@param options pl.MarkdownPagesOptions
function pl.markdown.pages(prefix, options) end
