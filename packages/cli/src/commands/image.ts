import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describeError } from '@flotilla/base';
import { writeAtomically } from '../cluster.js';
import { UserError } from '../errors.js';
import { clusterPaths, defaultName } from '../home.js';
import { columns } from './status.js';

/** What an image's directory may say of itself in `image.json`; see docs/architecture.md. */
interface ImageFile {
  names?: string[];
  entrypoint?: string[];
  cmd?: string[];
  env?: Record<string, string>;
  workingDir?: string;
}

/** What the registry holds for one image: its configuration and where its files are. */
interface RegisteredImage extends ImageFile {
  names: string[];
  entrypoint: string[];
  directory: string;
}

export interface AddImageOptions {
  entrypoint?: string;
  env?: string[];
}

const registry = (): string => clusterPaths(defaultName).images;
const entryOf = (name: string): string => join(registry(), encodeURIComponent(name));

/** `repository:tag`; `latest` where no tag is given. Refuses what no image reference can be. */
function withTag(name: string): string {
  if (!/^[a-z0-9]+([._\-/:][a-zA-Z0-9_.-]+)*$/.test(name)) {
    throw new UserError(`"${name}" is not an image name`, 'for example: flotilla image add shop/cart:v1 ./cart');
  }
  return /:[^/]+$/.test(name) ? name : `${name}:latest`;
}

function readJson<T extends object = Record<string, unknown>>(path: string): Partial<T> | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Partial<T>;
  } catch (error) {
    throw new UserError(`${path} is not JSON: ${describeError(error)}`, undefined, error);
  }
}

/** How to start the program in `dir`: as the user says, as its image.json says, else what package.json calls main. */
function configure(dir: string, options: AddImageOptions): Omit<RegisteredImage, 'names' | 'directory'> {
  const file = readJson<ImageFile>(join(dir, 'image.json')) ?? {};
  const env = Object.fromEntries(
    (options.env ?? []).map((pair) => pair.split(/=(.*)/s).slice(0, 2) as [string, string]),
  );
  const rest = { cmd: file.cmd, env: { ...file.env, ...env }, workingDir: file.workingDir };
  if (options.entrypoint) return { ...rest, entrypoint: ['/bin/sh', '-c', options.entrypoint] };
  if (file.entrypoint) return { ...rest, entrypoint: file.entrypoint };
  const main = readJson(join(dir, 'package.json'))?.main;
  const script =
    typeof main === 'string' ? main : ['index.js', 'server.js', 'main.js'].find((f) => existsSync(join(dir, f)));
  if (script) return { ...rest, entrypoint: ['${node}', join('${image}', script)] };
  throw new UserError(
    `${dir} does not say how it is started`,
    'add image.json with {"entrypoint": ["./program"]}, or use: flotilla image add NAME DIR --entrypoint "python3 app.py"',
  );
}

export function addImage(name: string, directory: string, options: AddImageOptions): void {
  const dir = resolve(directory);
  if (!existsSync(dir) || !statSync(dir).isDirectory()) throw new UserError(`${dir} is not a directory`);
  const tagged = withTag(name);
  const image: RegisteredImage = { ...configure(dir, options), names: [tagged], directory: dir };
  mkdirSync(entryOf(tagged), { recursive: true });
  writeAtomically(join(entryOf(tagged), 'image.json'), `${JSON.stringify(image, null, 2)}\n`, 0o644);
  console.log(`image ${tagged} runs ${image.entrypoint.join(' ')} in ${dir}`);
}

export function listImages(): void {
  const names = existsSync(registry()) ? readdirSync(registry()) : [];
  const rows = names.map((entry) => {
    const image = readJson<RegisteredImage>(join(registry(), entry, 'image.json'));
    return [decodeURIComponent(entry), image?.directory ?? '?', image?.entrypoint?.join(' ') ?? '?'];
  });
  console.log(columns([['IMAGE', 'DIRECTORY', 'ENTRYPOINT'], ...rows]));
}

export function removeImage(name: string): void {
  const entry = entryOf(withTag(name));
  if (!existsSync(entry)) throw new UserError(`image ${withTag(name)} is not registered`, 'see: flotilla image list');
  rmSync(entry, { recursive: true });
  console.log(`image ${withTag(name)} removed`);
}
