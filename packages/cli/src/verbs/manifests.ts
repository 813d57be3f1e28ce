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

/** Every object of the files, of the directories' YAML and JSON files, or of standard input (`-`), in order. */
export async function readManifests(files: readonly string[], recursive = false): Promise<Manifest[]> {
  const found: Manifest[] = [];
  for (const source of files.flatMap((file) => sourcesOf(file, recursive))) {
    const text = await textOf(source);
    for (const value of await documents(text, source)) found.push(...objectsOf(value, source));
  }
  if (found.length === 0) throw new UserError('no objects passed to apply');
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

function objectsOf(value: unknown, source: string): Manifest[] {
  if (value === null || value === undefined) return [];
  if (!isJsonObject(value)) throw new UserError(`error parsing ${source}: a document is not an object`);
  if (typeof value.kind === 'string' && value.kind.endsWith('List') && Array.isArray(value.items)) {
    return value.items.flatMap((item) => objectsOf(item, source));
  }
  const { apiVersion, kind } = value;
  if (typeof kind !== 'string' || !kind) throw new UserError(`error validating "${source}": kind not set`);
  if (typeof apiVersion !== 'string' || !apiVersion) {
    throw new UserError(`error validating "${source}": apiVersion not set`);
  }
  const { metadata } = value;
  const name = isJsonObject(metadata) && typeof metadata.name === 'string' ? metadata.name : '';
  const slash = apiVersion.indexOf('/');
  const info = findKind(apiVersion.slice(0, Math.max(slash, 0)), apiVersion.slice(slash + 1), kind);
  if (!info) {
    throw new UserError(
      `resource mapping not found for name: "${name}" from "${source}": no matches for kind "${kind}" in version "${apiVersion}"`,
    );
  }
  if (!name || !isJsonObject(metadata)) throw new UserError(`error from "${source}": the ${kind} has no name`);
  return [{ info, name, source, object: { ...value, metadata } }];
}
