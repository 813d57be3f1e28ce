// Turns the declarations in proto/ into packages/api/src/gen/: TypeScript types per module, the schema tables that the
// codecs interpret, the served resources and the documentation of OpenAPI. Skipped while nothing has changed.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCES = ['kubernetes', 'istio'];
const SCALARS = new Set(['string', 'bool', 'int32', 'int64', 'double', 'bytes']);
const TYPESCRIPT = {
  string: 'string',
  bool: 'boolean',
  int32: 'number',
  int64: 'number',
  double: 'number',
  bytes: 'string',
  time: 'string',
  microTime: 'string',
  duration: 'string',
  quantity: 'string',
  intOrString: 'number | string',
  json: 'JsonValue',
};

export async function generate({ root, quiet }) {
  const out = join(root, 'packages/api/src/gen');
  const files = SOURCES.flatMap((dir) =>
    readdirSync(join(root, 'proto', dir))
      .filter((name) => name.endsWith('.proto'))
      .map((name) => ({ name: `${dir}/${name}`, text: readFileSync(join(root, 'proto', dir, name), 'utf8') })),
  );
  const stamp = join(out, 'inputs.sha256');
  const digest = digestOf(files);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return;
  const { default: protobuf } = await import('protobufjs');
  const model = readModel(files.map((file) => readFile(protobuf, file)));
  const outputs = new Map([...model.modules].map(([name, messages]) => [`${name}.ts`, typesOf(name, messages)]));
  outputs.set('tables.ts', tablesOf(model));
  outputs.set('resources.ts', resourcesOf(model));
  outputs.set('docs.ts', docsOf(model));
  outputs.set('inputs.sha256', digest);
  writeAll(out, outputs);
  if (!quiet) console.log(`api: generated ${model.messages.size} types from ${files.length} files`);
}

/** Replaces each file in one step, the stamp last: another build may be reading. */
function writeAll(dir, outputs) {
  mkdirSync(dir, { recursive: true });
  for (const name of readdirSync(dir))
    if (!outputs.has(name) && !name.startsWith('.')) rmSync(join(dir, name), { force: true });
  for (const [name, text] of outputs) {
    const draft = join(dir, `.${name}.${process.pid}`);
    writeFileSync(draft, text);
    renameSync(draft, join(dir, name));
  }
}

/** Of all that shapes the output. */
function digestOf(files) {
  const hash = createHash('sha256').update(readFileSync(fileURLToPath(import.meta.url)));
  for (const file of files) hash.update(file.name).update('\0').update(file.text).update('\0');
  return hash.digest('hex');
}

// ---- reading -------------------------------------------------------------------------------------------------------

/** Options as one plain object; a repeated option becomes an array. */
function optionsOf(object) {
  const options = {};
  for (const entry of object.parsedOptions ?? []) {
    for (const [key, value] of Object.entries(entry)) {
      const name = key.replace(/^\(flotilla\.(\w+)\)$/, '$1');
      if (name === 'list_map_key') options[name] = [...(options[name] ?? []), value];
      else options[name] = value;
    }
  }
  return options;
}

function readFile(protobuf, file) {
  protobuf.parse.filename = file.name;
  const parsed = protobuf.parse(file.text, new protobuf.Root(), { keepCase: true, alternateCommentMode: true });
  const scope = parsed.root.lookup(parsed.package);
  const options = optionsOf(scope);
  const messages = scope.nestedArray.map((type) => ({
    name: type.name,
    file: file.name,
    package: parsed.package,
    ...homeOf(file.name),
    group: options.group ?? '',
    version: options.version ?? '',
    prefix: options.schema_prefix,
    custom: options.custom === true,
    doc: type.comment ?? undefined,
    options: optionsOf(type),
    fields: type.fieldsArray.map(readField),
  }));
  return { package: parsed.package, messages };
}

/** Where a file's types go: kubernetes/core-v1.proto is gen/core-v1.ts and namespace `core`, istio/*.proto are `istio`. */
function homeOf(name) {
  const [dir, base] = name.replace('.proto', '').split('/');
  const out = dir === 'kubernetes' ? base : dir;
  return { out, module: out.replace(/-v1$/, '').replace(/-v(\w+)$/, 'V$1') };
}

function readField(field) {
  const options = optionsOf(field);
  return {
    name: options.json ?? field.name,
    number: field.id,
    type: field.type,
    card: field.map ? 'map' : field.repeated ? 'list' : 'single',
    pointer: field.options?.proto3_optional === true,
    doc: field.comment ?? undefined,
    options,
  };
}

/** Indexes all messages by full name and resolves every reference, so that a typo fails the build. */
function readModel(files) {
  const model = { messages: new Map(), modules: new Map() };
  for (const file of files) {
    for (const message of file.messages) {
      model.messages.set(`${message.package}.${message.name}`, message);
      if (!model.modules.has(message.out)) model.modules.set(message.out, []);
      model.modules.get(message.out).push(message);
    }
  }
  for (const message of model.messages.values()) {
    for (const field of message.fields) {
      if (!SCALARS.has(field.type)) field.message = resolve(model, message, field.type);
      if (field.options.is) field.strings = resolve(model, message, field.options.is);
    }
  }
  return model;
}

/** Protobuf's scoping: the innermost enclosing package in which the name exists. */
function resolve(model, message, name) {
  const scopes = message.package.split('.');
  for (let depth = scopes.length; depth >= 0; depth--) {
    const found = model.messages.get([...scopes.slice(0, depth), name].join('.'));
    if (found) return found;
  }
  throw new Error(`${message.file}: ${message.name} refers to ${name}, which is not declared`);
}

const formOf = (message) => message.options.form ?? (message.options.strings ? 'strings' : 'struct');
const isKind = (message) => message.options.kind === true || message.options.resource !== undefined;
const idOf = (message) => `${message.module}.${message.name}`;

/** Always there in the decoded object, so a required property of the TypeScript type. */
function isPresent(field) {
  const { required, always, omit_empty, omit_zero } = field.options;
  if (required === true) return omit_empty !== true;
  if (field.card !== 'single' || field.pointer) return always === true && field.card !== 'single';
  const form = field.message ? formOf(field.message) : 'scalar';
  if (form === 'struct' || form === 'quantity' || form === 'intOrString') return omit_zero !== true;
  return always === true && form === 'scalar';
}

// ---- writing: types ------------------------------------------------------------------------------------------------

const HEADER = '// Generated from proto/ by packages/api/generate.mjs. Do not edit.\n';

function typesOf(out, messages) {
  const imports = new Map();
  const refer = (message) => {
    if (message.out === out) return message.name;
    imports.set(message.module, message.out);
    return `${message.module}.${message.name}`;
  };
  const body = messages.map((message) => typeOf(message, refer)).filter((text) => text !== '');
  const lines = [...imports]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, file]) => `import type * as ${name} from './${file}.js';`);
  if (body.some((text) => text.includes('JsonValue')))
    lines.push("import type { JsonValue } from '../schema/json.js';");
  return `${HEADER}${lines.join('\n')}\n\n${body.join('\n\n')}\n`;
}

function typeOf(message, refer) {
  const form = formOf(message);
  const doc = comment(message.doc, '');
  if (form === 'strings') {
    const { values, open } = message.options.strings;
    const words = [values].flat().map((value) => JSON.stringify(value));
    return `${doc}export type ${message.name} = ${words.join(' | ')}${open ? ' | (string & {})' : ''};`;
  }
  if (form === 'list') return `${doc}export type ${message.name} = ${elementType(message.fields[0], refer)}[];`;
  if (form !== 'struct') return `${doc}export type ${message.name} = ${TYPESCRIPT[form]};`;
  const inlined = message.fields.filter((field) => field.options.inline).map((field) => refer(field.message));
  const own = message.fields.filter((field) => !field.options.inline).map((field) => propertyOf(field, refer));
  if (isKind(message)) own.unshift('  apiVersion?: string;\n  kind?: string;');
  if (message.options.preserve_unknown) own.push('  [field: string]: unknown;');
  const heads = inlined.length > 0 ? ` extends ${inlined.join(', ')}` : '';
  if (own.length === 0 && inlined.length === 0) return `${doc}export type ${message.name} = Record<string, never>;`;
  return `${doc}export interface ${message.name}${heads} {\n${own.join('\n')}\n}`;
}

function propertyOf(field, refer) {
  const element = elementType(field, refer);
  const wrapped = element.includes('|') ? `(${element})` : element;
  const type = { single: element, list: `${wrapped}[]`, map: `Record<string, ${element}>` }[field.card];
  const name = /^[A-Za-z_$][\w$]*$/.test(field.name) ? field.name : JSON.stringify(field.name);
  return `${comment(field.doc, '  ')}  ${name}${isPresent(field) ? '' : '?'}: ${type};`;
}

function elementType(field, refer) {
  if (field.strings) return refer(field.strings);
  return field.message ? refer(field.message) : TYPESCRIPT[field.type];
}

function comment(doc, indent) {
  if (!doc) return '';
  const lines = doc.split('\n');
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}`).join('\n')}\n${indent} */\n`;
}

// ---- writing: tables -----------------------------------------------------------------------------------------------

/** One line per message and field; src/schema/tables.ts reads them, on first use of the message. */
function tablesOf(model) {
  const rows = [];
  const strings = [];
  for (const message of model.messages.values()) {
    if (message.options.strings) {
      const { values, open } = message.options.strings;
      strings.push(
        `  ${JSON.stringify(idOf(message))}: ${JSON.stringify((open ? '?' : '') + [values].flat().join('|'))},`,
      );
    } else {
      const lines = [messageLine(message), ...message.fields.map(fieldLine)];
      rows.push(`  ${JSON.stringify(idOf(message))}: ${JSON.stringify(lines.join('\n'))},`);
    }
  }
  return [
    HEADER,
    '/** Message → its table: a line of its own, then one a field. Read by ../schema/tables.ts. */',
    `export const tables: Readonly<Record<string, string>> = {\n${rows.join('\n')}\n};\n`,
    '/** Named string → its values, after "?" where others are accepted too. */',
    `export const strings: Readonly<Record<string, string>> = {\n${strings.join('\n')}\n};\n`,
  ].join('\n');
}

function messageLine(message) {
  const { form, struct_type, schema_name, preserve_unknown } = message.options;
  const words = [schema_name ?? `${message.prefix}.${message.name}`];
  if (form) words.push(`form=${form}`);
  if (isKind(message)) words.push(`kind=${message.group}/${message.version}`);
  if (struct_type) words.push(`struct=${struct_type}`);
  if (message.custom) words.push('custom');
  if (preserve_unknown) words.push('preserve');
  return words.join(' ');
}

/** `name number type flags key=value…`; type is a scalar or `module.Message`, after `*` for a list, `%` for a map. */
function fieldLine(field) {
  const o = field.options;
  const type = { single: '', list: '*', map: '%' }[field.card] + (field.message ? idOf(field.message) : field.type);
  const flags = [
    [o.inline, 'i'],
    [field.pointer, 'p'],
    [o.required === true, 'r'],
    [isAlways(o), 'a'],
    [o.omit_zero, 'z'],
  ];
  const words = [field.name, field.number, type, flags.map(([on, flag]) => (on ? flag : '')).join('') || '-'];
  const pairs = {
    is: field.strings && idOf(field.strings),
    patch: o.patch_strategy,
    key: o.merge_key,
    list: o.list_type,
    keys: o.list_map_key?.join(','),
    map: o.map_type,
    default: o.default === undefined ? undefined : encodeURIComponent(defaultOf(field)),
    min: o.minimum,
    max: o.maximum,
  };
  for (const [key, value] of Object.entries(pairs)) if (value !== undefined) words.push(`${key}=${value}`);
  return words.join(' ');
}

/** As JSON text; throws on what is not. */
function defaultOf(field) {
  const text = field.options.default;
  return JSON.stringify(field.type === 'string' ? text : JSON.parse(text));
}

const isAlways = (options) => options.always === true || (options.required === true && options.omit_empty !== true);

// ---- writing: resources, documentation -----------------------------------------------------------------------------

function resourcesOf(model) {
  const rows = [];
  for (const message of model.messages.values()) {
    const resource = message.options.resource;
    if (!resource) continue;
    const versions = [message.version, ...[resource.other_versions ?? []].flat()];
    for (const version of versions) rows.push(`  ${JSON.stringify(resourceRow(message, resource, version))},`);
  }
  const type = "import type { ResourceRow } from '../schema/resource-row.js';";
  return `${HEADER}${type}\n\nexport const resourceRows: readonly ResourceRow[] = [\n${rows.join('\n')}\n];\n`;
}

function resourceRow(message, resource, version) {
  return {
    group: message.group,
    version,
    storageVersion: message.version,
    resource: resource.plural,
    singular: resource.singular ?? message.name.toLowerCase(),
    kind: message.name,
    listKind: `${message.name}List`,
    namespaced: resource.cluster_scoped !== true,
    shortNames: [resource.short_names ?? []].flat(),
    categories: [resource.categories ?? []].flat(),
    subresources: [resource.subresources ?? []].flat(),
    storageKey:
      resource.storage_key ?? (message.group === '' ? resource.plural : `${resource.plural}.${message.group}`),
    custom: message.custom,
    schemaId: idOf(message),
    listSchemaId: `${idOf(message)}List`,
  };
}

function docsOf(model) {
  const rows = [];
  for (const message of model.messages.values()) {
    if (message.doc) rows.push([idOf(message), message.doc]);
    for (const field of message.fields) if (field.doc) rows.push([`${idOf(message)}.${field.name}`, field.doc]);
  }
  const lines = rows.map(([key, doc]) => `  ${JSON.stringify(key)}: ${JSON.stringify(doc.replaceAll('\n', ' '))},`);
  return [
    HEADER,
    '/** Message, or message and field → its description. */',
    `export const docs: Readonly<Record<string, string>> = {\n${lines.join('\n')}\n};\n`,
  ].join('\n');
}
