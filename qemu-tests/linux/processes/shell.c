/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-tests/linux/processes/shell.c - a script in the shell of the root, as images start: traps, pipelines, here-documents,
 * background jobs, command substitution. */
#include <unistd.h>
static const char script[] =
    "set -u\n"
    "echo \"pid $$\"\n"
    "trap 'echo trapped TERM' TERM\n"
    "trap 'echo leaving with $?' EXIT\n"
    "kill -TERM $$\n"
    "echo one two three | cat | { read a b c; echo \"$c $b $a\"; }\n"
    "cat <<END\nhere $((6 * 7)) `echo substituted` $(echo nested $(echo deep))\nEND\n"
    "false; echo status $?\n"
    "(exit 5); echo status $?\n"
    "sh -c 'kill -9 $$'; echo status $?\n"
    "sh -c 'exit 3' & wait $!; echo status $?\n"
    "sleep 1 & sleep 1 & wait; echo waited\n"
    "x=$(cat /etc/data | cat | cat); echo ${#x}\n"
    "i=0; while [ $i -lt 30 ]; do sh -c ':'; i=$((i + 1)); done; echo $i\n"
    "echo to a file > /tmp/f; echo more >> /tmp/f; cat < /tmp/f\n"
    "cat /etc/data /etc/big | cat > /tmp/big; [ $(cat /tmp/big | cat | sh -c 'n=0; while read -r l; do "
    "n=$((n+1)); done; echo $n') -ge 0 ] && echo counted\n"
    "if cat /nonexistent 2>/dev/null; then echo bad; else echo missing; fi\n"
    "( trap 'echo sub; exit 4' USR1; sh -c 'kill -USR1 $PPID'; sleep 1 ); echo status $?\n"
    "f() { echo function $1; return 9; }; f arg; echo status $?\n"
    // A writer that goes on only when its reader is gone: once killed by SIGPIPE, once told of it because it ignores the signal.
    "late='echo 0; while [ ! -e /tmp/gone ]; do sleep 1; done; echo 1'\n"
    "for ignored in '' 'trap \"\" PIPE; '; do\n"
    "  rm -f /tmp/gone\n"
    "  { sh -c \"$ignored$late\"; echo writer $? >&2; } | { read l; echo read $l; exec 0<&-; echo "
    ">/tmp/gone; }\n"
    "done\n"
    "exec 3>/tmp/g; echo three >&3; exec 3>&-; cat /tmp/g\n"
    "set -- a 'b c' d; for w in \"$@\"; do echo \"<$w>\"; done\n"
    "exec sh -c 'echo last; exit 12'\n";
int main(void) {
    execl("/bin/sh", "sh", "-c", script, (char*)0);
    return 127;
}
