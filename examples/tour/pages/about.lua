-- about.lua - what perilune is, for whom, and what the name means.

return {
  path = "/about",
  title = "What perilune is",
  summary = "A web server, an application server and a Lua runtime in one "
    .. "small C program.",
  body = function()
    return [[
<main id="content">
<p class="part">About</p>
<h1>What perilune is</h1>
<p class="summary">A web server, an application server and a Lua runtime in one
small C program.</p>
<section>
<h2 id="name">The name</h2>
<p>The <i>perilune</i> is the point of an orbit that is closest to the moon.
<i>Lua</i> is Portuguese for moon. Between a socket and a Lua function there is
as little as possible.</p>
</section>
<section>
<h2 id="for-whom">For whom</h2>
<dl>
<dt>Lua developers</dt>
<dd>write a handler in straight lines. What waits is a plain call; there are no
callbacks and no blocking calls to fear, and no other server is needed in
front.</dd>
<dt>C developers</dt>
<dd>link <code>libperilune</code> and register functions. They run on small
stacks of their own, so they too may wait in straight lines.</dd>
<dt>Operators</dt>
<dd>get one program with strict limits, an error log with request ids, and
documented signals and exit codes.</dd>
</dl>
</section>
<section>
<h2 id="ideas">How it is made</h2>
<ul>
<li>A worker is a thread with its own event loop, connections and Lua state.
Workers share nothing that changes, so there is nothing to lock.</li>
<li>Each request runs as a task: a Lua coroutine, or a fiber in C. Both wait by
the same mechanism.</li>
<li>An idle connection owns no buffer. A request takes its memory from an arena
that is reset as a whole.</li>
<li>Ranges, conditions, HEAD, chunks and content length are done once, for every
handler.</li>
<li>The configuration is Lua. There is no second language to learn.</li>
</ul>
</section>
<section>
<h2 id="cost">What it costs</h2>
<p><code>make bench</code> measures it on your machine, beside nginx, h2o,
lighttpd, Caddy, Node.js, Go, and beside a bare loop that does nothing but
answer: processor time and system calls for each request, latency, memory.
<code>docs/performance</code> has the tables, what was kept of what was planned
and what was not, and who was better at what. The cost of a request in
instructions is counted at each change.</p>
</section>
<section>
<h2 id="tour">How the tour is made</h2>
<p>A site file, one file for each chapter, a style sheet written by hand, fonts
of your system. Each chapter adds its routes and returns its text; the sources
are cut from the same files while they are loaded. The commands in the dark
boxes are run by the tests of perilune, and what they print is compared.</p>
</section>
</main>]]
  end,
}
