import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { findKind, isJsonObject, type JsonObject, type KubeObject, type ResourceInfo } from '@flotilla/api';
import { describeError } from '@flotilla/base';
import { UserError } from '../errors.js';

/** One object of a manifest, and where it came from. */
export interface Manifest {
  info: ResourceInfo;
  object: JsonObject & KubeObject;
  name: string;
  source: string;
}

/** What was read, and which objects are of kinds that are not served. */
export interface Manifests {
  manifests: Manifest[];
  failures: UserError[];
}

/** Every object of the files, of the directories' YAML and JSON files, or of standard input (`-`), in order. */
export async function readManifests(files: readonly string[], recursive = false): Promise<Manifests> {
  const found: Manifests = { manifests: [], failures: [] };
  for (const source of files.flatMap((file) => sourcesOf(file, recursive))) {
    const text = await textOf(source);
    for (const value of await documents(text, source)) addObjects(found, value, source);
  }
  if (found.manifests.length + found.failures.length === 0) throw new UserError('no objects in the given files');
  return found;
}

function sourcesOf(file: string, recursive: boolean): string[] {
  if (file === '-' || isUrl(file)) return [file];
  const stats = statSync(file, { throwIfNoEntry: false });
  if (!stats) throw new UserError(`the path "${file}" does not exist`);
  if (!stats.isDirectory()) return [file];
  return readdirSync(file, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      if (entry.isDirectory()) return recursive ? sourcesOf(join(file, entry.name), true) : [];
      return /\.(ya?ml|json)$/.test(entry.name) ? [join(file, entry.name)] : [];
    });
}

const isUrl = (file: string): boolean => /^https?:\/\//.test(file);

async function textOf(source: string): Promise<string> {
  try {
    if (!isUrl(source)) return readFileSync(source === '-' ? 0 : source, 'utf8');
    const response = await fetch(source);
    if (!response.ok) throw new UserError(`HTTP ${response.status}`);
    return await response.text();
  } catch (error) {
    throw new UserError(`cannot read ${source}: ${describeError(error)}`, undefined, error);
  }
}

async function documents(text: string, source: string): Promise<unknown[]> {
  const { parseAllDocuments } = await import('yaml');
  return [...parseAllDocuments(text, { merge: true })].map((document) => {
    const [error] = document.errors;
    if (error) throw new UserError(`error parsing ${source}: ${error.message}`, undefined, error);
    return document.toJS() as unknown;
  });
}

function addObjects(found: Manifests, value: unknown, source: string): void {
  if (value === null || value === undefined) return;
  if (!isJsonObject(value)) throw new UserError(`error parsing ${source}: a document is not an object`);
  const { apiVersion, kind, items, metadata } = value;
  if (typeof kind !== 'string' || !kind) throw new UserError(`error validating "${source}": kind not set`);
  if (kind.endsWith('List') && Array.isArray(items)) {
    for (const item of items) addObjects(found, item, source);
    return;
  }
  if (typeof apiVersion !== 'string' || !apiVersion) {
    throw new UserError(`error validating "${source}": apiVersion not set`);
  }
  const name = isJsonObject(metadata) && typeof metadata.name === 'string' ? metadata.name : '';
  const slash = apiVersion.indexOf('/');
  const info = findKind(apiVersion.slice(0, Math.max(slash, 0)), apiVersion.slice(slash + 1), kind);
  if (!info) {
    const what = `no matches for kind "${kind}" in version "${apiVersion}"`;
    found.failures.push(new UserError(`resource mapping not found for name: "${name}" from "${source}": ${what}`));
    return;
  }
  if (!name || !isJsonObject(metadata)) throw new UserError(`error from "${source}": the ${kind} has no name`);
  found.manifests.push({ info, name, source, object: { ...value, metadata } });
}
