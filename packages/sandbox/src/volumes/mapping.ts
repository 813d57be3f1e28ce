/** A directory or file of the machine that stands at `path` inside the container. */
export interface MountMapping {
  path: string;
  dir: string;
}

/** Keeps what lies in `dir` where it is, although a mount may stand above it: `/tmp/home` under a volume at `/tmp`. */
export const staysInPlace = (dir: string): MountMapping => ({ path: dir, dir });

/** Longest path first, so that a mount inside another one wins. */
export function orderMappings(mappings: readonly MountMapping[]): MountMapping[] {
  return mappings
    .map(({ path, dir }) => ({ path: path.length > 1 ? path.replace(/\/+$/, '') : path, dir }))
    .filter(({ path }) => path !== '/')
    .sort((a, b) => b.path.length - a.path.length);
}

/** `path` as the machine has it. `mappings` as `orderMappings` gives them. */
export function mapPath(path: string, mappings: readonly MountMapping[]): string {
  for (const mapping of mappings) {
    if (path === mapping.path) return mapping.dir;
    if (path.startsWith(mapping.path) && path[mapping.path.length] === '/')
      return mapping.dir + path.slice(mapping.path.length);
  }
  return path;
}

/** What may stand before a path within a command line, script or setting, and after its last letter. */
const before = String.raw`(?<=^|[\s"'\`=:,;|&(<>@\[{!])`;
const after = String.raw`(?=$|[/\s"'\`:,;|&)<>\]}?*])`;

/**
 * Replaces mount paths wherever they stand as paths inside `text`: for programs that the shim cannot reach. `/data` is
 * replaced in `cat /data/x` and `--dir=/data`, not in `/database` or `/var/data`.
 */
export function mapText(text: string, mappings: readonly MountMapping[]): string {
  if (mappings.length === 0 || !text.includes('/')) return text;
  const paths = mappings.map(({ path }) => path.replace(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`));
  const pattern = new RegExp(`${before}(?:${paths.join('|')})${after}`, 'g');
  return text.replace(pattern, (path) => mapPath(path, mappings));
}
