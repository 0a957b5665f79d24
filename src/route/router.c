#include "route/router.h"

#include "base/features.h"
#include "base/str.h"
#include "base/sys.h"
#include "route/chain.h"

/* One path element of the patterns. Exact children are sorted for a binary
 * search: by length first, so that most comparisons touch no text. */
struct node {
    struct pl_str name; /* behind the node: it may outlive its route */
    struct node **children;
    unsigned nchildren, room;
    struct node *param;     /* ":name" */
    struct pl_route *here;  /* the path ends here */
    struct pl_route *below; /* "*rest" or a mount: here and everything below */
};

struct tree {
    struct tree *next;
    struct pl_str host; /* lower case, without "*." */
    bool wildcard;
    struct node root;
};

struct pl_router {
    struct tree *hosts;
    struct tree any;
    struct pl_route **routes;
    unsigned count, room;
    unsigned ahead; /* enum pl_router_ahead */
    struct pl_handler *front;
};

/* ---- building ---- */

struct pl_router *pl_router_new(void)
{
    return pl_calloc(1, sizeof(struct pl_router));
}

static void free_node(struct node *node)
{
    for (unsigned i = 0; i < node->nchildren; i++) {
        free_node(node->children[i]);
        pl_free(node->children[i]);
    }
    if (node->param != NULL)
        free_node(node->param);
    pl_free(node->param);
    pl_free(node->children);
}

static void free_route(struct pl_route *route)
{
    pl_chain_free(route->chain);
    pl_free((void *)route->pattern);
    pl_free((void *)route->host);
    pl_free((void *)route->where);
    pl_free((void *)route->cache_control.data);
    pl_free(route);
}

PL_COLD void pl_router_free(struct pl_router *router)
{
    if (router == NULL)
        return;
    while (router->hosts != NULL) {
        struct tree *tree = router->hosts;

        router->hosts = tree->next;
        free_node(&tree->root);
        pl_free((void *)tree->host.data);
        pl_free(tree);
    }
    free_node(&router->any.root);
    for (unsigned i = 0; i < router->count; i++)
        free_route(router->routes[i]);
    pl_free(router->routes);
    if (PL_WITH_REWRITE && router->front != NULL)
        router->front->free(router->front);
    pl_free(router);
}

static int compare(struct pl_str a, struct pl_str b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len == 0 ? 0 : memcmp(a.data, b.data, a.len);
}

/* The place of name among the children, or where it belongs (*found false). */
static unsigned search(const struct node *node, struct pl_str name, bool *found)
{
    unsigned low = 0, high = node->nchildren;

    *found = false;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        int order = compare(name, node->children[middle]->name);

        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* The child with that name, made if need be. */
static struct node *child(struct node *node, struct pl_str name)
{
    bool found;
    unsigned at = search(node, name, &found);
    struct node *made;
    char *text;

    if (found)
        return node->children[at];
    if (node->nchildren == node->room) {
        unsigned room = node->room == 0 ? 4 : node->room * 2;
        struct node **grown =
            pl_realloc(node->children, room * sizeof(struct node *));

        if (grown == NULL)
            return NULL;
        node->children = grown;
        node->room = room;
    }
    made = pl_calloc(1, sizeof(*made) + name.len);
    if (made == NULL)
        return NULL;
    text = (char *)(made + 1);
    if (name.len > 0)
        memcpy(text, name.data, name.len);
    made->name = pl_str(text, name.len);
    memmove(node->children + at + 1, node->children + at,
            (node->nchildren - at) * sizeof(struct node *));
    node->children[at] = made;
    node->nchildren++;
    return made;
}

static struct node *param_child(struct node *node)
{
    if (node->param == NULL)
        node->param = pl_calloc(1, sizeof(struct node));
    return node->param;
}

/* Longer names first, so that "*.b.example" is asked before "*.example". */
static void insert_tree(struct tree **list, struct tree *tree)
{
    while (*list != NULL && (*list)->host.len >= tree->host.len)
        list = &(*list)->next;
    tree->next = *list;
    *list = tree;
}

static struct tree *tree_of(struct pl_router *router, struct pl_str host)
{
    bool wildcard = pl_str_starts(host, PL_STR("*."));
    struct pl_str name = pl_str_skip(host, wildcard ? 2 : 0);
    struct tree *tree;
    char *copy;

    if (host.len == 0)
        return &router->any;
    for (tree = router->hosts; tree != NULL; tree = tree->next)
        if (tree->wildcard == wildcard && pl_str_ieq(tree->host, name))
            return tree;
    tree = pl_calloc(1, sizeof(*tree));
    copy = pl_malloc(name.len + 1);
    if (tree == NULL || copy == NULL) {
        pl_free(tree);
        pl_free(copy);
        return NULL;
    }
    pl_str_lower(copy, name);
    tree->host = pl_str(copy, name.len);
    tree->wildcard = wildcard;
    insert_tree(&router->hosts, tree);
    router->ahead |= PL_AHEAD_HOST;
    return tree;
}

static int bad(struct pl_error *error, const struct pl_route *route,
               const char *why)
{
    return pl_error_set(error, PL_ERR_INVALID, route->where,
                        "route pattern '%s': %s", route->pattern, why);
}

static int add_param(struct pl_route *route, struct pl_str name,
                     struct pl_error *error)
{
    if (route->nparams == PL_ROUTE_PARAMS)
        return bad(error, route, "too many parameters (at most 16)");
    for (unsigned i = 0; i < route->nparams; i++)
        if (pl_str_eq(route->params[i], name))
            return bad(error, route, "the same parameter twice");
    route->params[route->nparams++] = name;
    return 0;
}

/* "*rest": what is left of the path is its last parameter. */
static int add_rest(struct pl_route *route, struct pl_str part, bool last,
                    struct pl_error *error)
{
    if (!last)
        return bad(error, route, "'*' must be the last element");
    if (route->mount)
        return bad(error, route, "a mounted prefix takes no '*'");
    return add_param(
        route, part.len > 1 ? pl_str_skip(part, 1) : PL_STR("rest"), error);
}

/* Walks (and makes) the nodes of a pattern. *below: it ends with "*rest" or is
 * a mount. */
static int plant(struct node *node, struct pl_route *route, struct node **end,
                 bool *below, struct pl_error *error)
{
    struct pl_str rest = pl_str_skip(pl_str_c(route->pattern), 1), part;
    int err = 0;

    *below = route->mount;
    while (err == 0 && pl_str_split(&rest, '/', &part)) {
        bool last = rest.data == NULL;

        if (route->mount && part.len == 0 && last)
            break; /* "/static/" and "/" mount what "/static" and "" do */
        if (pl_str_starts(part, PL_STR("*"))) {
            err = add_rest(route, part, last, error);
            *below = true;
            break;
        }
        if (pl_str_starts(part, PL_STR(":"))) {
            err = part.len == 1
                      ? bad(error, route, "a parameter without a name")
                      : add_param(route, pl_str_skip(part, 1), error);
            node = param_child(node);
        } else {
            node = child(node, part);
        }
        if (node == NULL)
            return pl_error_set(error, PL_ERR_NOMEM, route->where,
                                "out of memory");
    }
    *end = node;
    return err;
}

static int attach(struct pl_route **list, struct pl_route *route,
                  struct pl_error *error)
{
    for (struct pl_route *other = *list; other != NULL; other = other->next)
        if (other->methods & route->methods)
            return pl_error_set(error, PL_ERR_EXISTS, route->where,
                                "route '%s' is already taken by '%s' (%s)",
                                route->pattern, other->pattern, other->where);
    route->next = *list;
    *list = route;
    return 0;
}

static struct pl_str copy_str(struct pl_str s)
{
    char *copy = s.data == NULL ? NULL : pl_malloc(s.len + 1);

    if (copy == NULL)
        return pl_str(NULL, 0);
    memcpy(copy, s.data, s.len);
    copy[s.len] = '\0';
    return pl_str(copy, s.len);
}

static struct pl_route *copy_route(const struct pl_route *from)
{
    struct pl_route *route = pl_malloc(sizeof(*route));

    if (route == NULL) {
        pl_chain_free(from->chain);
        return NULL;
    }
    *route = *from;
    route->nparams = 0;
    route->pattern = copy_str(pl_str_c(from->pattern)).data;
    route->host = copy_str(pl_str_c(from->host ? from->host : "")).data;
    route->where = copy_str(pl_str_c(from->where ? from->where : "")).data;
    route->cache_control = copy_str(from->cache_control);
    if (route->pattern == NULL || route->host == NULL || route->where == NULL) {
        free_route(route);
        return NULL;
    }
    return route;
}

static bool make_room(struct pl_router *router)
{
    unsigned room = router->room == 0 ? 16 : router->room * 2;
    struct pl_route **grown;

    if (router->count < router->room)
        return true;
    grown = pl_realloc(router->routes, room * sizeof(struct pl_route *));
    if (grown == NULL)
        return false;
    router->routes = grown;
    router->room = room;
    return true;
}

PL_COLD int pl_router_add(struct pl_router *router, const struct pl_route *from,
                          struct pl_error *error)
{
    struct pl_route *route = copy_route(from);
    struct tree *tree;
    struct node *end = NULL;
    bool below = false;
    int err;

    if (route == NULL || !make_room(router)) {
        if (route != NULL)
            free_route(route);
        return pl_error_set(error, PL_ERR_NOMEM, from->where, "out of memory");
    }
    tree = tree_of(router, pl_str_c(route->host));
    if (tree == NULL)
        err = pl_error_set(error, PL_ERR_NOMEM, route->where, "out of memory");
    else if (route->pattern[0] != '/')
        err = bad(error, route, "must begin with '/'");
    else
        err = plant(&tree->root, route, &end, &below, error);
    if (err == 0)
        err = attach(below ? &end->below : &end->here, route, error);
    if (err < 0) {
        free_route(route);
        return err;
    }
    route->index = router->count;
    router->routes[router->count++] = route;
    return 0;
}

unsigned pl_router_ahead(const struct pl_router *router)
{
    return router->ahead;
}

PL_COLD void pl_router_set_front(struct pl_router *router,
                                 struct pl_handler *front)
{
    router->front = front;
    router->ahead |= PL_AHEAD_FRONT;
}

struct pl_handler *pl_router_front(const struct pl_router *router)
{
    return router->front;
}

const struct pl_route *pl_router_route(const struct pl_router *router,
                                       unsigned index)
{
    return index < router->count ? router->routes[index] : NULL;
}

/* ---- finding ---- */

struct walk {
    struct pl_match *match;
    unsigned want;     /* method bit that does */
    unsigned fallback; /* ... or, for HEAD, that of GET */
    unsigned depth;    /* parameters bound so far */
};

static bool take(struct walk *walk, const struct pl_route *route,
                 struct pl_str rest)
{
    struct pl_match *match = walk->match;

    match->route = route;
    match->rest = rest;
    match->nparams = walk->depth;
    if (route->nparams > walk->depth) /* the last is "*rest" */
        match->values[match->nparams++] = rest;
    return true;
}

/* The route of a list that takes the method; notes the others' methods. */
static bool pick(struct walk *walk, const struct pl_route *list,
                 struct pl_str rest)
{
    const struct pl_route *fallback = NULL;

    for (; list != NULL; list = list->next) {
        /* "/files/ *rest" begins behind the slash; a mount at its name. */
        if (rest.data == NULL && list->nparams > walk->depth)
            continue;
        walk->match->allow |= list->methods;
        if (list->methods & walk->want)
            return take(walk, list, rest);
        if (list->methods & walk->fallback)
            fallback = list;
    }
    return fallback != NULL && take(walk, fallback, rest);
}

/* Matches the elements left in path below node; path is absent when none is.
 * Recursion is as deep as the patterns, not as the path. */
static bool find(struct walk *walk, const struct node *node, struct pl_str path)
{
    struct pl_str rest = path, part;
    bool found;
    unsigned at;

    if (!pl_str_split(&rest, '/', &part))
        return pick(walk, node->here, path) || pick(walk, node->below, path);
    at = search(node, part, &found);
    if (found && find(walk, node->children[at], rest))
        return true;
    if (node->param != NULL && part.len > 0 && walk->depth < PL_ROUTE_PARAMS) {
        walk->match->values[walk->depth++] = part;
        if (find(walk, node->param, rest))
            return true;
        walk->depth--;
    }
    return pick(walk, node->below, path);
}

static inline bool find_in(const struct tree *tree, enum pl_method method,
                           struct pl_str path, struct pl_match *match)
{
    struct walk walk = {.match = match,
                        .want = PL_METHOD_BIT(method),
                        .fallback = method == PL_METHOD_HEAD
                                        ? PL_METHOD_BIT(PL_METHOD_GET)
                                        : 0};

    return find(&walk, &tree->root, pl_str_skip(path, 1));
}

/* "a.b.example" belongs to "*.example" as well as to "*.b.example". */
static bool host_matches(const struct tree *tree, struct pl_str host)
{
    if (!tree->wildcard)
        return pl_str_ieq(host, tree->host);
    return host.len > tree->host.len + 1 &&
           host.data[host.len - tree->host.len - 1] == '.' &&
           pl_str_ieq(pl_str_skip(host, host.len - tree->host.len), tree->host);
}

PL_COLD bool pl_router_host_is(struct pl_str name, struct pl_str host)
{
    bool wildcard = pl_str_starts(name, PL_STR("*."));
    const struct tree tree = {.wildcard = wildcard,
                              .host = pl_str_skip(name, wildcard ? 2 : 0)};

    if (pl_str_ends(host, PL_STR(".")))
        host = pl_str_first(host, host.len - 1);
    return name.len == 0 || host_matches(&tree, host);
}

void pl_router_find(const struct pl_router *router, struct pl_str host,
                    enum pl_method method, struct pl_str path,
                    struct pl_match *match)
{
    match->route = NULL;
    match->allow = 0;
    if (path.len == 0 || path.data[0] != '/')
        return;
    /* With a dot at its end it is the same name, fully qualified. */
    if (host.len > 0 && host.data[host.len - 1] == '.')
        host = pl_str_first(host, host.len - 1);
    for (int wildcard = 0; wildcard < 2 && router->hosts != NULL; wildcard++)
        for (struct tree *tree = router->hosts; tree; tree = tree->next)
            if (tree->wildcard == wildcard && host_matches(tree, host) &&
                find_in(tree, method, path, match))
                return;
    find_in(&router->any, method, path, match);
}
