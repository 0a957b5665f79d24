/* module_one.c - a module for test_module.c, which looks at it by its symbols.
 */
#include <perilune.h>

PL_MODULE(PL_MODULE_ABI, PL_MODULE_SIZE);

PL_MODULE_VISIBLE int module_count;
PL_MODULE_VISIBLE int module_next(void);

int module_next(void)
{
    return ++module_count;
}

PL_HANDLER(one)
{
    (void)req;
    (void)res;
    (void)arg;
    return 0;
}
