import type { ResolvedImage } from './catalogue.js';

/**
 * The command line of a container, as Kubernetes lets a pod override an OCI image: `command` replaces the entrypoint and
 * drops the image's default arguments, `args` replaces only those.
 */
export function commandLine(
  image: ResolvedImage,
  container: { command?: readonly string[]; args?: readonly string[] },
  node: string,
): string[] {
  const expand = (word: string): string => expandWord(word, image, node);
  if (container.command?.length) return [...container.command, ...(container.args ?? [])];
  return [
    ...image.entrypoint.map(expand),
    ...(container.args?.length ? container.args : (image.cmd ?? []).map(expand)),
  ];
}

/** `${node}` is Node's own binary, `${image}` the image's directory. */
export function expandWord(word: string, image: { dir: string }, node = process.execPath): string {
  return word.replaceAll('${node}', node).replaceAll('${image}', image.dir);
}

export function imageEnv(image: ResolvedImage, node: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(image.env ?? {}).map(([key, value]) => [key, expandWord(value, image, node)]),
  );
}
