-- command.lua - chapter: the command line and the signals.

return {
  title = "Command line and signals", short = "Command line",
  summary = "One program: it serves a site, checks it, or runs a script.",
  sections = {
    {
      title = "Serving",
      text = [[
<p>A folder with a <code>main.lua</code> is a site, and so is a single Lua file.
A folder without one has its files served.</p>
<pre class="shell"><code>perilune                        # the current folder
perilune site.lua -p 8080       # one file, on this port
perilune examples/tour -c 4     # this tour, with four workers
perilune public -h unix:/run/public.sock</code></pre>]],
    },
    {
      title = "Checking and running",
      text = [[
<p><code>check</code> loads a site and lists addresses and routes, or says file
and line of the fault. <code>run</code> runs a script with the whole library,
without a server; what it returns is the exit code.</p>
<pre class="shell"><code>perilune check examples/tour
perilune run script.lua with arguments
perilune --version
perilune --help</code></pre>]],
    },
    {
      title = "Signals",
      text = [[
<table>
<caption>What perilune does</caption>
<thead><tr><th scope="col">Signal</th><th scope="col">Effect</th></tr></thead>
<tbody>
<tr><td><code>TERM</code>, <code>QUIT</code></td><td>finish the running
requests, then end; a second one: at once</td></tr>
<tr><td><code>INT</code></td><td>end at once</td></tr>
<tr><td><code>HUP</code></td><td>load the site anew</td></tr>
<tr><td><code>USR1</code></td><td>open the log files again</td></tr>
<tr><td><code>USR2</code></td><td>replace the program by a new version</td></tr>
</tbody>
</table>]],
    },
    {
      title = "Logs and exit codes",
      text = [[
<p>Errors go to standard error or to the file of <code>--log</code>;
<code>--log-level</code> says how much. With <code>--access-log</code> each
request is a line in the combined format, with its duration and its id.</p>
<table>
<caption>Exit codes</caption>
<thead><tr><th scope="col">Code</th><th scope="col">Meaning</th></tr></thead>
<tbody>
<tr><td>0</td><td>stopped as asked</td></tr>
<tr><td>1</td><td>failure at run time</td></tr>
<tr><td>2</td><td>bad command line</td></tr>
<tr><td>3</td><td>the site does not load</td></tr>
<tr><td>4</td><td>an address cannot be listened on</td></tr>
</tbody>
</table>]],
    },
  },
}
