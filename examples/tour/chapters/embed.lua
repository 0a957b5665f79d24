-- embed.lua - chapter: handlers in C. They live in a program of their own,
-- examples/embed-in-c, and are shown from there.

local program = "../embed-in-c/main.c"

return {
  title = "Handlers in C",
  summary = "The same server as a library: functions in C that wait in "
    .. "straight lines.",
  sections = {
    {
      title = "A function answers",
      text = [[
<p>These functions belong to <code>examples/embed-in-c</code>, a program of its
own that links <code>libperilune</code>. The build makes it beside this one;
<code>docs/c-api.md</code> goes through all of it. The commands below take it to
listen on port 8081:</p>
<pre class="shell"><code
>build/examples/embed-in-c/embed-in-c 127.0.0.1:8081</code></pre>]],
      file = program, wide = true, example = "hello",
      shell = [[
$ curl -s 'http://127.0.0.1:8081/hello?name=moon'
Hello, moon!]],
    },
    {
      title = "Waiting",
      text = [[
<p>A handler runs on a small stack of its own. <code>pl_sleep</code>, reading a
body and writing an answer look like calls that block, and only this handler
stops there. An error code that it returns becomes the right status.</p>]],
      file = program, wide = true, example = "nap",
      shell = [[
$ curl -s 'http://127.0.0.1:8081/sleep?ms=50'
Good morning.]],
    },
    {
      title = "A stream",
      text = [[
<p>The same rules as in Lua: the first piece sends the head, and a slow reader
makes the handler wait.</p>]],
      file = program, wide = true, example = "countdown",
      shell = [[
$ curl -sN http://127.0.0.1:8081/countdown
3...
2...
1...
Lift-off.]],
    },
    {
      title = "A body of any length",
      text = [[
<p>Memory for one piece is enough.</p>]],
      file = program, wide = true, example = "sum",
      shell = [[
$ printf abc | curl -s http://127.0.0.1:8081/sum --data-binary @-
294]],
    },
    {
      title = "What blocks",
      text = [[
<p>Some calls cannot but block. <code>pl_offload</code> runs them on a thread
made for it, while the handler waits; here the result is also kept for a
minute.</p>]],
      file = program, wide = true, example = "make_address",
      shell = [[
$ curl -s 'http://127.0.0.1:8081/resolve?host=127.0.0.1'
127.0.0.1]],
    },
    {
      title = "The application",
      text = [[
<p>Unlike Lua, all workers share one state. What changes in it must be atomic,
like the counter behind <code>/counter</code>.</p>]],
      file = program, wide = true, example = "add_routes",
      shell = [[
$ curl -s http://127.0.0.1:8081/counter
…]],
    },
  },
}
