<?include top.priv.lsp ?>
<p>Nothing is wrong in this line,
but this one asks for the <%= shadow.radius %> of what is not there.
