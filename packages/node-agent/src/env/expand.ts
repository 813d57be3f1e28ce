/**
 * Replaces `$(NAME)` by a variable's value; what is unknown stays as it is, and `$$` is a literal `$` (upstream's
 * third_party/forked/golang/expansion).
 */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  return text.replace(/\$(\$|\(([^)]*)\))/g, (whole, escaped: string, name: string | undefined) => {
    if (escaped === '$') return '$';
    return lookup(name ?? '') ?? whole;
  });
}
