// Entry points without a function of their own: jumps to another one, or to the message that they are missing. In assembly, since they must
// pass on arguments that they do not know.
#if !defined(__x86_64__)
#error "gpusim runs on x86-64"
#endif

#define GPUSIM_SYMBOL(name) ".globl " #name "\n.type " #name ", @function\n" #name ":\n"

#define GPUSIM_SAME_AS(name, other) asm(".text\n" GPUSIM_SYMBOL(name) "jmp " #other "@PLT\n.size " #name ", .-" #name "\n");
#define GPUSIM_MISSING(name)                                 \
  asm(".section .rodata\n.Lname_" #name ": .string \"" #name \
      "\"\n.text\n" GPUSIM_SYMBOL(name) "leaq .Lname_" #name "(%rip), %rdi\njmp gpusim_missing@PLT\n.size " #name ", .-" #name "\n");
#include "entry_points.def"
