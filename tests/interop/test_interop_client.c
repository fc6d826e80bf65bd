#include "interop_wire.h"
int main(void)
{
    return 0;
}
