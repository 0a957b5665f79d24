-- modules.lua - chapter: native modules. The one that is shown is
-- examples/module, a site of its own.

local module, site = "../module/counter.c", "../module/main.lua"

return {
  title = "Native modules",
  summary = "Shared objects add handlers and methods in C, and are replaced "
    .. "while they run.",
  sections = {
    {
      title = "A handler in C",
      text = [[
<p>A module is compiled with the installed header alone and links to nothing.
These functions are from <code>examples/module</code>, which the commands below
take to be served on port 8082:</p>
<pre class="shell" tabindex="0"><code
>cd examples/module
cc -shared -fPIC -I../../include counter.c -o counter.so
perilune -p 8082 -c 1</code></pre>]],
      file = module, wide = true, example = "visit",
      shell = [[
$ curl -s http://127.0.0.1:8082/
visit … of worker 0]],
    },
    {
      title = "Bound in the site",
      text = [[
<p>The site loads the file and puts its handlers where a function in Lua would
stand. An unknown name is an error with file and line; <code>perilune
check</code> lists what each module offers.</p>]],
      file = site, wide = true, example = "routes",
    },
    {
      title = "A method of requests",
      text = [[
<p>What <code>PL_LUA_METHOD</code> defines is called as
<code>req:visits()</code>. It may wait: the Lua that has called waits with
it.</p>]],
      file = module, wide = true, example = "visits",
      shell = [[
$ curl -s http://127.0.0.1:8082/visits
{"visits":…}]],
    },
    {
      title = "State that outlives the code",
      text = [[
<p>The file is loaded as a copy and may be overwritten at any time. Compile it
anew and reload: the counter goes on in the new code, because
<code>on_load</code> finds what the former generation had.</p>
<pre class="shell" tabindex="0"><code
>cc -shared -fPIC -I../../include -DGREETING='"orbit"' counter.c -o counter.so
perilune reload</code></pre>]],
      file = module, wide = true, example = "on_load",
    },
    {
      title = "What is loaded",
      text = [[
<p><code>perilune status</code> lists the copies that are in memory, by how many
generations and tasks each is used, and those that would not unload. Modules
written for 80s compile unchanged: they include <code>80s.h</code>.</p>
<pre class="shell" tabindex="0"><code
>module  counter.so               copy 2  used 1</code></pre>]],
    },
  },
}
