import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type ImageName, parseImageName } from './name.js';

/** What an image name stands for; see "Images" in docs/architecture.md. */
export interface Image {
  names: string[];
  entrypoint: string[];
  cmd?: string[];
  env?: Record<string, string>;
  workingDir?: string;
  shim?: boolean;
  /** Where the image's files are, if not beside its description. */
  directory?: string;
}

export interface ResolvedImage extends Image {
  /** The image's own directory: `${image}`. */
  dir: string;
  /** Stable identity, e.g. `flotilla://builtin/istio/proxyv2` or `flotilla://local/myapp:1.0`. */
  id: string;
}

export interface ImageSource {
  /** Undefined if there is no such image. Looks at the disk each time, so that a new image is found at once. */
  resolve(name: string): ResolvedImage | undefined;
}

export type MatchRule = 'exact' | 'trailing';

/**
 * How well `pattern` (one of an image's `names`) fits `wanted`: 0 not at all, else the higher the more specific.
 * `trailing`: whatever registry and leading path; `exact`: the same repository, Docker Hub's by default.
 */
export function matchScore(pattern: string, wanted: ImageName, rule: MatchRule): number {
  const parsed = parseImageName(pattern);
  if (!parsed) return 0;
  if (parsed.tag !== undefined && parsed.tag !== (wanted.tag ?? 'latest')) return 0;
  const same = parsed.repository === wanted.repository;
  const fits =
    rule === 'exact'
      ? same && parsed.registry === wanted.registry
      : same || wanted.repository.endsWith(`/${parsed.repository}`);
  if (!fits) return 0;
  return parsed.repository.split('/').length * 2 + (parsed.tag === undefined ? 0 : 1);
}

function best(images: readonly ResolvedImage[], wanted: ImageName, rule: MatchRule): ResolvedImage | undefined {
  let found: ResolvedImage | undefined;
  let score = 0;
  for (const image of images) {
    for (const name of image.names) {
      const here = matchScore(name, wanted, rule);
      if (here > score) [found, score] = [image, here];
    }
  }
  return found;
}

/** The user's own images first, then the built-in ones. */
export function imageSource(options: { catalogue: string; registryDir: string }): ImageSource {
  const builtIn = new CachedFile(options.catalogue, (text, file) => {
    const { images } = JSON.parse(text) as { images: Image[] };
    return images.map((image) => ({ ...image, dir: dirname(file), id: `flotilla://builtin/${image.names[0]}` }));
  });
  const registered = new Map<string, CachedFile<ResolvedImage>>();
  const local = (): ResolvedImage[] =>
    listDirs(options.registryDir).flatMap((dir) => {
      const file = join(dir, 'image.json');
      const cached = registered.get(file) ?? new CachedFile(file, parseLocal);
      registered.set(file, cached);
      const image = cached.read();
      return image ? [image] : [];
    });
  return {
    resolve(name) {
      const wanted = parseImageName(name);
      if (!wanted) return undefined;
      return best(local(), wanted, 'exact') ?? best(builtIn.read() ?? [], wanted, 'trailing');
    },
  };
}

function parseLocal(text: string, file: string): ResolvedImage {
  const image = JSON.parse(text) as Image;
  return { ...image, dir: realpathSync(image.directory ?? dirname(file)), id: `flotilla://local/${image.names[0]}` };
}

function listDirs(dir: string): string[] {
  try {
    return readdirSync(dir).map((name) => join(dir, name));
  } catch {
    return [];
  }
}

/** A parsed file that is read again only when it has changed. */
class CachedFile<T> {
  readonly #file: string;
  readonly #parse: (text: string, file: string) => T;
  #stamp = '';
  #value: T | undefined;

  constructor(file: string, parse: (text: string, file: string) => T) {
    this.#file = file;
    this.#parse = parse;
  }

  /** Undefined if the file is absent or broken. */
  read(): T | undefined {
    try {
      const { mtimeMs, size, ino } = statSync(this.#file);
      const stamp = `${mtimeMs}/${size}/${ino}`;
      if (stamp === this.#stamp) return this.#value;
      this.#value = undefined;
      this.#value = this.#parse(readFileSync(this.#file, 'utf8'), this.#file);
      this.#stamp = stamp;
      return this.#value;
    } catch {
      this.#stamp = '';
      return undefined;
    }
  }
}
