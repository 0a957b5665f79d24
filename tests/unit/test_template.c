/* test_template.c - Mustache: the modules that the specification asks of
 * everybody, and what it leaves to us. */
#include "check.h"

#include "template_world.h"

/* ---- comments ---- */

static const struct example comments[] = {
    {"inline", "12345{{! a comment }}67890", "{}", "1234567890", NULL},
    {"several lines", "12345{{!\n a\n comment\n}}67890", "{}", "1234567890",
     NULL},
    {"alone", "Begin.\n{{! comment }}\nEnd.\n", "{}", "Begin.\nEnd.\n", NULL},
    {"alone, indented", "Begin.\n  {{! comment }}\nEnd.\n", "{}",
     "Begin.\nEnd.\n", NULL},
    {"alone, CRLF", "|\r\n{{! comment }}\r\n|", "{}", "|\r\n|", NULL},
    {"alone, no line before", "  {{! comment }}\n!", "{}", "!", NULL},
    {"alone, no line behind", "!\n  {{! comment }}", "{}", "!\n", NULL},
    {"alone, several lines", "Begin.\n{{!\nx\n}}\nEnd.\n", "{}",
     "Begin.\nEnd.\n", NULL},
    {"alone, several lines, indented", "Begin.\n  {{!\n  x\n  }}\nEnd.\n", "{}",
     "Begin.\nEnd.\n", NULL},
    {"not alone", "  12 {{! 34 }}\n", "{}", "  12 \n", NULL},
    {"spaces stay", "12345 {{! comment }} 67890", "{}", "12345  67890", NULL},
    {"no name of a value", "comments: >{{! x }}<", "{'! x': 1, '!x': 2, x: 3}",
     "comments: ><", NULL},
};

static void test_template__comments(void **state)
{
    (void)state;
    RUN(comments);
}

/* ---- delimiters ---- */

static const struct example delimiters[] = {
    {"a pair", "{{=<% %>=}}(<%text%>)", "{text: 'Hey!'}", "(Hey!)", NULL},
    {"special characters", "({{=[ ]=}}[text])", "{text: 'It worked!'}",
     "(It worked!)", NULL},
    {"in sections",
     "[\n{{#s}}\n  {{data}}\n  |data|\n{{/s}}\n\n{{= | | =}}\n|#s|\n"
     "  {{data}}\n  |data|\n|/s|\n]\n",
     "{s: true, data: 'I got interpolated.'}",
     "[\n  I got interpolated.\n  |data|\n\n  {{data}}\n"
     "  I got interpolated.\n]\n",
     NULL},
    {"in inverted sections",
     "[\n{{^s}}\n  {{data}}\n  |data|\n{{/s}}\n\n{{= | | =}}\n|^s|\n"
     "  {{data}}\n  |data|\n|/s|\n]\n",
     "{s: false, data: 'I got interpolated.'}",
     "[\n  I got interpolated.\n  |data|\n\n  {{data}}\n"
     "  I got interpolated.\n]\n",
     NULL},
    {"not inherited by partials",
     "[ {{>include}} ]\n{{= | | =}}\n[ |>include| ]", "{value: yes}",
     "[ .yes. ]\n[ .yes. ]", "{include: '.{{value}}.'}"},
    {"not of those behind a partial",
     "[ {{>include}} ]\n[ .{{value}}.  .|value|. ]", "{value: yes}",
     "[ .yes.  .yes. ]\n[ .yes.  .|value|. ]",
     "{include: '.{{value}}. {{= | | =}} .|value|.'}"},
    {"spaces around", "| {{=@ @=}} |", "{}", "|  |", NULL},
    {"alone", "Begin.\n{{=@ @=}}\nEnd.\n", "{}", "Begin.\nEnd.\n", NULL},
    {"alone, indented", "Begin.\n  {{=@ @=}}\nEnd.\n", "{}", "Begin.\nEnd.\n",
     NULL},
    {"alone, CRLF", "|\r\n{{= @ @ =}}\r\n|", "{}", "|\r\n|", NULL},
    {"alone, no line before", "  {{=@ @=}}\n=", "{}", "=", NULL},
    {"alone, no line behind", "=\n  {{=@ @=}}", "{}", "=\n", NULL},
    {"padding within", "|{{= @   @ =}}|", "{}", "||", NULL},
    {"and back", "{{=<% %>=}}<%a%><%={{ }}=%>{{a}}<%a%>", "{a: 1}", "11<%a%>",
     NULL},
    {"unescaped", "{{=<% %>=}}<%{a}%><%&a%>", "{a: '<'}", "<<", NULL},
};

static void test_template__delimiters(void **state)
{
    (void)state;
    RUN(delimiters);
}

/* ---- interpolation ---- */

static const struct example interpolation[] = {
    {"no tags", "Hello from {Mustache}!\n", "{}", "Hello from {Mustache}!\n",
     NULL},
    {"empty", "", "{}", "", NULL},
    {"a name", "Hello, {{subject}}!\n", "{subject: 'world'}", "Hello, world!\n",
     NULL},
    {"what is shown is no template", "{{template}}: {{planet}}",
     "{template: '{{planet}}', planet: 'Earth'}", "{{planet}}: Earth", NULL},
    {"escaped", "{{x}}", "{x: '& \" < >'}", "&amp; &quot; &lt; &gt;", NULL},
    {"three", "{{{x}}}", "{x: '& \" < >'}", "& \" < >", NULL},
    {"ampersand", "{{&x}}", "{x: '& \" < >'}", "& \" < >", NULL},
    {"number", "{{x}} {{{x}}} {{&x}}", "{x: 85}", "85 85 85", NULL},
    {"decimal", "\"{{x}} jiggawatts!\"", "{x: 1.21}", "\"1.21 jiggawatts!\"",
     NULL},
    {"null", "I ({{x}}{{{x}}}{{&x}}) be", "{x: ''}", "I () be", NULL},
    {"a miss", "I ({{x}}{{{x}}}{{&x}}) be", "{}", "I () be", NULL},
    {"dotted", "{{a.b}} {{{a.b}}} {{&a.b}}", "{a: {b: 'Joe'}}", "Joe Joe Joe",
     NULL},
    {"any depth", "{{a.b.c.d.e.name}}",
     "{a: {b: {c: {d: {e: {name: 'Phil'}}}}}}", "Phil", NULL},
    {"a broken chain", "({{a.b.c}})", "{a: {}}", "()", NULL},
    {"a broken chain is not taken up elsewhere", "({{a.b.c.name}})",
     "{a: {b: {}}, c: {name: 'Jim'}}", "()", NULL},
    {"first part by context, then no other", "{{#a}}{{b.c.name}}{{/a}}",
     "{a: {b: {c: {name: 'Phil'}}}, b: {c: {name: 'Wrong'}}}", "Phil", NULL},
    {"the first part hides those outside", "{{#a}}({{b.c}}){{/a}}",
     "{a: {b: {}}, b: {c: 'ERROR'}}", "()", NULL},
    {"dots are no part of a name", "({{a.b}})", "{'a.b': 'c'}", "()", NULL},
    {"... and hide nothing", "{{a.b}}", "{'a.b': 'c', a: {b: 'd'}}", "d", NULL},
    {"the context", "Hello, {{.}}!", "'world'", "Hello, world!", NULL},
    {"the context, escaped", "{{.}}{{{.}}}{{&.}}", "'<'", "&lt;<<", NULL},
    {"spaces around", "| {{x}} {{{x}}} {{&x}} |", "{x: '---'}",
     "| --- --- --- |", NULL},
    {"never alone", "  {{x}}\n  {{{x}}}\n  {{&x}}\n", "{x: '---'}",
     "  ---\n  ---\n  ---\n", NULL},
    {"padding", "|{{ x }}{{{ x }}}{{& x }}|", "{x: '-'}", "|---|", NULL},
    {"braces around", "{ {{x}} }{ {{{x}}} }", "{x: 1}", "{ 1 }{ 1 }", NULL},
    {"an apostrophe, for attributes", "{{x}}", "{x: -, y: 1}", "-", NULL},
};

static void test_template__interpolation(void **state)
{
    (void)state;
    RUN(interpolation);
}

/* ---- sections ---- */

static const struct example sections[] = {
    {"true", "\"{{#b}}shown{{/b}}\"", "{b: true}", "\"shown\"", NULL},
    {"false", "\"{{#b}}shown{{/b}}\"", "{b: false}", "\"\"", NULL},
    {"null", "\"{{#b}}shown{{/b}}\"", "{b: null}", "\"\"", NULL},
    {"an object is the context", "{{#c}}Hi {{name}}.{{/c}}",
     "{c: {name: 'Joe'}}", "Hi Joe.", NULL},
    {"the contexts around", "{{#sec}}{{a}}, {{b}}, {{c.d}}{{/sec}}",
     "{a: 'foo', b: 'wrong', sec: {b: 'bar'}, c: {d: 'baz'}}", "foo, bar, baz",
     NULL},
    {"a text is the context", "{{#foo}}{{.}} is {{foo}}{{/foo}}",
     "{foo: 'bar'}", "bar is bar", NULL},
    {"a list within each element",
     "{{#tops}}{{#middles}}{{tname.lower}}{{mname}}.{{#bottoms}}"
     "{{tname.upper}}{{mname}}{{bname}}.{{/bottoms}}{{/middles}}{{/tops}}",
     "{tops: [{tname: {upper: 'A', lower: 'a'}, middles: [{mname: 1,"
     " bottoms: [{bname: 'x'}, {bname: 'y'}]}]}]}",
     "a1.A1x.A1y.", NULL},
    {"deep",
     "{{#a}}{{one}}{{#b}}{{one}}{{two}}{{#c.d}}{{one}}{{two}}{{three}}"
     "{{/c.d}}{{two}}{{/b}}{{one}}{{/a}}",
     "{a: {one: 1}, b: {two: 2}, c: {d: {three: 3}}}",
     "112123"
     "21",
     NULL},
    {"a list", "{{#list}}{{item}}{{/list}}",
     "{list: [{item: 1}, {item: 2}, {item: 3}]}", "123", NULL},
    {"an empty list", "[{{#list}}x{{/list}}]", "{list: []}", "[]", NULL},
    {"twice the same",
     "{{#b}}\n* first\n{{/b}}\n* {{two}}\n{{#b}}\n* third\n{{/b}}\n",
     "{b: true, two: 'second'}", "* first\n* second\n* third\n", NULL},
    {"nested, shown", "| A {{#b}}B {{#b}}C{{/b}} D{{/b}} E |", "{b: true}",
     "| A B C D E |", NULL},
    {"nested, not shown", "| A {{#b}}B {{#b}}C{{/b}} D{{/b}} E |", "{b: false}",
     "| A  E |", NULL},
    {"a miss", "[{{#missing}}x{{/missing}}]", "{}", "[]", NULL},
    {"each", "\"{{#list}}({{.}}){{/list}}\"", "{list: [a, 2, 3.5]}",
     "\"(a)(2)(3.5)\"", NULL},
    {"each, escaped", "{{#list}}({{.}}){{{.}}}{{/list}}", "{list: ['<', '&']}",
     "(&lt;)<(&amp;)&", NULL},
    {"lists of lists", "{{#list}}({{#.}}{{.}}{{/.}}){{/list}}",
     "{list: [[1, 2, 3], [a, b]]}", "(123)(ab)", NULL},
    {"the root is a list", "{{#.}}({{v}}){{/.}}", "[{v: a}, {v: b}]", "(a)(b)",
     NULL},
    {"null in a list", "{{#list}}({{.}}){{/list}}", "{list: [1, '', 2]}",
     "(1)()(2)", NULL},
    {"dotted", "\"{{#a.b.c}}Here{{/a.b.c}}\"", "{a: {b: {c: true}}}",
     "\"Here\"", NULL},
    {"dotted, false", "\"{{#a.b.c}}Here{{/a.b.c}}\"", "{a: {b: {c: false}}}",
     "\"\"", NULL},
    {"dotted, a miss", "\"{{#a.b.c}}Here{{/a.b.c}}\"", "{a: {}}", "\"\"", NULL},
    {"spaces around", " | {{#b}}\t|\t{{/b}} | \n", "{b: true}", " | \t|\t | \n",
     NULL},
    {"spaces within", " | {{#b}} {{! x }}\n {{/b}} | \n", "{b: true}",
     " |  \n  | \n", NULL},
    {"not alone", " {{#b}}YES{{/b}}\n {{#b}}GOOD{{/b}}\n", "{b: true}",
     " YES\n GOOD\n", NULL},
    {"alone", "| This Is\n{{#b}}\n|\n{{/b}}\n| A Line\n", "{b: true}",
     "| This Is\n|\n| A Line\n", NULL},
    {"alone, indented", "| This Is\n  {{#b}}\n|\n  {{/b}}\n| A Line\n",
     "{b: true}", "| This Is\n|\n| A Line\n", NULL},
    {"alone, CRLF", "|\r\n{{#b}}\r\n{{/b}}\r\n|", "{b: true}", "|\r\n|", NULL},
    {"alone, no line before", "  {{#b}}\n#{{/b}}\n/", "{b: true}", "#\n/",
     NULL},
    {"alone, no line behind", "#{{#b}}\n/\n  {{/b}}", "{b: true}", "#\n/\n",
     NULL},
    {"padding", "|{{# b }}={{/ b }}|", "{b: true}", "|=|", NULL},
};

static void test_template__sections(void **state)
{
    (void)state;
    RUN(sections);
}

static const struct example inverted[] = {
    {"false", "\"{{^b}}shown{{/b}}\"", "{b: false}", "\"shown\"", NULL},
    {"true", "\"{{^b}}shown{{/b}}\"", "{b: true}", "\"\"", NULL},
    {"null", "\"{{^b}}shown{{/b}}\"", "{b: null}", "\"shown\"", NULL},
    {"an object", "\"{{^c}}Hi {{name}}.{{/c}}\"", "{c: {name: 'Joe'}}", "\"\"",
     NULL},
    {"a list", "\"{{^l}}x{{/l}}\"", "{l: [{n: 1}]}", "\"\"", NULL},
    {"an empty list", "\"{{^l}}x{{/l}}\"", "{l: []}", "\"x\"", NULL},
    {"a miss", "[{{^missing}}x{{/missing}}]", "{}", "[x]", NULL},
    {"nested, shown", "| A {{^b}}B {{^b}}C{{/b}} D{{/b}} E |", "{b: false}",
     "| A B C D E |", NULL},
    {"dotted", "\"{{^a.b}}x{{/a.b}}\"", "{a: {}}", "\"x\"", NULL},
    {"alone", "| This Is\n{{^b}}\n|\n{{/b}}\n| A Line\n", "{b: false}",
     "| This Is\n|\n| A Line\n", NULL},
    {"alone, CRLF", "|\r\n{{^b}}\r\n{{/b}}\r\n|", "{b: false}", "|\r\n|", NULL},
    {"alone, no line before", "  {{^b}}\n^{{/b}}\n/", "{b: false}", "^\n/",
     NULL},
    {"alone, no line behind", "^{{^b}}\n/\n  {{/b}}", "{b: false}", "^\n/\n",
     NULL},
    {"padding", "|{{^ b }}={{/ b }}|", "{b: false}", "|=|", NULL},
};

static void test_template__inverted_sections(void **state)
{
    (void)state;
    RUN(inverted);
}

/* ---- partials ---- */

static const struct example partials[] = {
    {"basic", "\"{{>text}}\"", "{}", "\"from partial\"",
     "{text: 'from partial'}"},
    {"not there", "\"{{>text}}\"", "{}", "\"\"", "{}"},
    {"the context", "\"{{>partial}}\"", "{text: content}", "\"*content*\"",
     "{partial: '*{{text}}*'}"},
    {"recursion", "{{>node}}", "{content: X, nodes: [{content: Y, nodes: []}]}",
     "X<Y<>>", "{node: '{{content}}<{{#nodes}}{{>node}}{{/nodes}}>'}"},
    {"nested", "{{>outer}}", "{a: hello, b: world}", "*hello world!*",
     "{outer: '*{{a}} {{>inner}}*', inner: '{{b}}!'}"},
    {"spaces around", "| {{>partial}} |", "{}", "| \t|\t |",
     "{partial: '\t|\t'}"},
    {"inline", "  {{data}}  {{> partial}}\n", "{data: '|'}", "  |  >\n>\n",
     "{partial: '>\n>'}"},
    {"alone, CRLF", "|\r\n{{>partial}}\r\n|", "{}", "|\r\n>|",
     "{partial: '>'}"},
    {"alone, no line before", "  {{>partial}}\n>", "{}", "  >\n  >>",
     "{partial: '>\n>'}"},
    {"alone, no line behind", ">\n  {{>partial}}", "{}", ">\n  >\n  >",
     "{partial: '>\n>'}"},
    {"alone: its lines are indented, its values not", "\\\n {{>partial}}\n/\n",
     "{content: '<\n->'}", "\\\n |\n <\n->\n |\n/\n",
     "{partial: '|\n{{{content}}}\n|\n'}"},
    {"padding", "|{{> partial }}|", "{}", "|[]|", "{partial: '[]'}"},
    {"indentation adds up", "  {{>a}}\n", "{}", "  a\n    b\n    b\n  a\n",
     "{a: 'a\n  {{>b}}\na\n', b: 'b\nb\n'}"},
    {"... but not in the line", "  {{>a}}\n", "{}", "  (b\nb\n)\n",
     "{a: '({{>b}})\n', b: 'b\nb\n'}"},
    {"empty lines stay empty", "  {{>a}}\n", "{}", "  x\n\n  y\n",
     "{a: 'x\n\ny\n'}"},
    {"tags that are alone there leave no spaces", "  {{>a}}\n", "{b: true}",
     "  x\n", "{a: '{{#b}}\nx\n{{/b}}\n{{! y }}\n'}"},
    {"a tag first in a line", "  {{>a}}\n", "{b: 1, c: [1, 2]}",
     "  1 x\n  1\n  2\n  .\n", "{a: '{{b}} x\n{{#c}}{{.}}\n{{/c}}.\n'}"},
};

static void test_template__partials(void **state)
{
    (void)state;
    RUN(partials);
}

/* ---- errors ---- */

static const struct {
    const char *what, *source, *where, *text;
} faults[] = {
    {"open tag", "a\n{{b", "main:2", "a tag that is not closed"},
    {"open triple", "\n\n{{{b}}", "main:3", "a tag that is not closed"},
    {"open comment", "{{! b", "main:1", "a tag that is not closed"},
    {"no name", "x{{ }}", "main:1", "a tag without a name"},
    {"no name", "{{#}}{{/}}", "main:1", "a tag without a name"},
    {"no name", "{{>*}}", "main:1", "a tag without a name"},
    {"space", "\n{{#if x}}{{/if x}}", "main:2", "a name with a space in it"},
    {"open section", "a\n{{#b}}\n\nc", "main:2",
     "a section, a block or a parent that is not closed"},
    {"wrong end", "{{#a}}\n{{/b}}", "main:2",
     "'/b' cannot close '#a' of line 1"},
    {"wrong end", "{{$a}}\n{{/b}}", "main:2",
     "'/b' cannot close '$a' of line 1"},
    {"crossed", "{{#a}}{{^b}}{{/a}}{{/b}}", "main:1",
     "'/a' cannot close '^b' of line 1"},
    {"end without begin", "\n{{/a}}", "main:2", "'/a' closes nothing"},
    {"delimiters", "{{=<%=}}", "main:1",
     "two delimiters are wanted, as in {{=<% %>=}}"},
    {"delimiters", "{{=a b c=}}", "main:1",
     "two delimiters are wanted, as in {{=<% %>=}}"},
    {"delimiters", "{{=a = =}}", "main:1",
     "two delimiters are wanted, as in {{=<% %>=}}"},
    {"delimiters", "{{==}}", "main:1",
     "two delimiters are wanted, as in {{=<% %>=}}"},
};

static void test_template__faults_have_a_line(void **state)
{
    struct pl_error error;

    (void)state;
    for (size_t i = 0; i < PL_COUNT(faults); i++) {
        CHECK(pl_template_new(PL_STR("main"), pl_str_c(faults[i].source),
                              &error) == NULL,
              faults[i].what);
        CHECK_INT(PL_ERR_SYNTAX, error.code, faults[i].what);
        CHECK_STR(faults[i].where, pl_str_c(error.where), faults[i].what);
        CHECK_STR(faults[i].text, pl_str_c(error.text), faults[i].what);
        CHECK(pl_template_new(PL_STR("main"), pl_str_c(faults[i].source),
                              NULL) == NULL,
              "nobody wants to know");
    }
}

/* ---- limits ---- */

static const struct {
    const char *what, *source, *data, *partials, *where;
    int err;
    size_t limit;
} limits[] = {
    {"a partial in itself", "{{>p}}", "{}", "{p: '.{{>p}}'}", "p:1",
     PL_ERR_LIMIT, 0},
    {"parents without end", "{{>p}}", "{}",
     "{p: '{{<p}}{{$a}}{{>p}}{{/a}}{{/p}}'}", "p:1", PL_ERR_LIMIT, 0},
    {"a lambda in itself", "\n{{again}}", "{again: &again}", NULL, "main:1",
     PL_ERR_LIMIT, 0},
    {"much output", "{{#l}}\n0123456789{{/l}}", "{l: [1, 2, 3]}", NULL,
     "main:2", PL_ERR_LIMIT, 20},
    {"steps without output",
     "{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{/l}}{{/l}}{{/l}}"
     "{{/l}}{{/l}}{{/l}}{{/l}}{{/l}}",
     "{l: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}", NULL,
     "main:1", PL_ERR_LIMIT, 0},
    {"a lambda's template", "\n{{l}}", "{l: &broken}", NULL, "main:1",
     PL_ERR_SYNTAX, 0},
    {"a lambda that fails", "\n{{#l}}{{/l}}", "{l: &failing}", NULL, "main:2",
     PL_ERR_IO, 0},
    {"no such lambda", "{{#a}}\n{{#l}}x{{/l}}{{/a}}", "{a: [1], l: &nobody}",
     NULL, "main:2", PL_ERR_NOT_FOUND, 0},
};

static void test_template__rendering_is_bounded(void **state)
{
    struct pl_error error;
    struct pl_buf out;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    for (size_t i = 0; i < PL_COUNT(limits); i++) {
        CHECK_INT(limits[i].err,
                  render(limits[i].source, limits[i].data, limits[i].partials,
                         limits[i].limit, &out, &error),
                  limits[i].what);
        CHECK_STR(limits[i].where, pl_str_c(error.where), limits[i].what);
        pl_buf_fini(&out);
    }
    CHECK_INT(0, pool.account.used, "all memory is given back");
    pl_pool_fini(&pool);
}

static void test_template__nesting_is_bounded(void **state)
{
    struct pl_error error;
    struct pl_buf text;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_buf_init(&text, &pool, NULL, 0);
    for (int i = 0; i <= PL_TEMPLATE_NESTING_MAX; i++)
        pl_buf_add(&text, PL_STR("{{#a}}"));
    CHECK(pl_template_new(PL_STR("x"), pl_buf_str(&text), &error) == NULL,
          "too deep");
    CHECK_INT(PL_ERR_LIMIT, error.code, "too deep");
    CHECK(pl_template_new(PL_STR("x"),
                          pl_str(text.data, PL_TEMPLATE_SOURCE_MAX + 1),
                          &error) == NULL,
          "too large: not even looked at");
    CHECK_INT(PL_ERR_LIMIT, error.code, "too large");
    pl_buf_fini(&text);
    pl_pool_fini(&pool);
}

/* As deep as it may be: with one more frame than there is room for at first,
 * and with each number up to the limit. */
static void test_template__frames_grow(void **state)
{
    struct pl_error error;
    struct pl_buf out, source;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    for (int deep = 1; deep <= PL_TEMPLATE_NESTING_MAX; deep++) {
        pl_buf_init(&source, &pool, NULL, 0);
        for (int i = 0; i < deep; i++)
            pl_buf_add(&source, PL_STR("{{#a}}"));
        pl_buf_add(&source, PL_STR("{{b}}"));
        for (int i = 0; i < deep; i++)
            pl_buf_add(&source, PL_STR("{{/a}}"));
        pl_buf_addc(&source, '\0');
        CHECK_INT(0,
                  render(source.data, "{a: [{}], b: 7}", NULL, 0, &out, &error),
                  "renders");
        CHECK_STR("7", pl_buf_str(&out), "renders");
        pl_buf_fini(&out);
        pl_buf_fini(&source);
    }
    pl_pool_fini(&pool);
}

/* ---- names ---- */

static int collect(void *arg, struct pl_str name)
{
    pl_buf_add(arg, name);
    return pl_str_eq(name, PL_STR("stop")) ? PL_ERR_CANCELED
                                           : pl_buf_addc(arg, ' ');
}

static void test_template__partials_are_listed(void **state)
{
    struct pl_template *template = pl_template_new(
        PL_STR("x"),
        PL_STR("{{>a}}{{#s}}{{>b/c}}{{/s}}{{>*d}}{{<e}}{{$f}}{{>g}}{{/f}}{{/e}}"
               "{{>stop}}{{>h}}"),
        NULL);
    struct pl_buf out;

    (void)state;
    pl_pool_init(&pool, NULL, 0);
    pl_buf_init(&out, &pool, NULL, 0);
    CHECK_INT(PL_ERR_CANCELED, pl_template_partials(template, collect, &out),
              "until it is stopped");
    CHECK_STR("a b/c e g stop", pl_buf_str(&out), "those with a name");
    CHECK_STR("x", pl_str_c(pl_template_name(template)), "name");
    pl_buf_fini(&out);
    pl_pool_fini(&pool);
    pl_template_free(template);
    pl_template_free(NULL);
}

RUN_TESTS(cmocka_unit_test(test_template__comments),
          cmocka_unit_test(test_template__delimiters),
          cmocka_unit_test(test_template__interpolation),
          cmocka_unit_test(test_template__sections),
          cmocka_unit_test(test_template__inverted_sections),
          cmocka_unit_test(test_template__partials),
          cmocka_unit_test(test_template__faults_have_a_line),
          cmocka_unit_test(test_template__rendering_is_bounded),
          cmocka_unit_test(test_template__nesting_is_bounded),
          cmocka_unit_test(test_template__frames_grow),
          cmocka_unit_test(test_template__partials_are_listed))
