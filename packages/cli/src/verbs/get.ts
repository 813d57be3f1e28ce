import {
  isJsonObject,
  type JsonObject,
  type KubeObject,
  type ResourceInfo,
  StatusError,
  type Table,
} from '@flotilla/api';
import { isStatus, jsonLinesOf, requestJson } from './requests.js';
import { pathOf, type Selection } from '@flotilla/client';
import { UserError } from '../errors.js';
import { namespaceFor, printedKind, printedName, resolveTargets, type Target } from './kinds.js';
import { asJson, asYaml, listOf } from './output.js';
import { onCluster, type Session, type VerbOptions } from './session.js';
import { TablePrinter } from './table.js';

export interface GetOptions extends VerbOptions {
  allNamespaces?: boolean;
  output?: string;
  selector?: string;
  fieldSelector?: string;
  watch?: boolean;
  /** Commander's form of `--no-headers`. */
  headers?: boolean;
  showLabels?: boolean;
  ignoreNotFound?: boolean;
}

const tableType = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
const outputs = ['wide', 'yaml', 'json', 'name'];

export async function get(args: string[], options: GetOptions): Promise<void> {
  if (options.output && !outputs.includes(options.output)) {
    throw new UserError(`-o ${options.output} is not there yet; choose one of: ${outputs.join(', ')}`);
  }
  const targets = resolveTargets(args);
  if (options.watch && targets.some(({ info }) => info !== targets[0]!.info)) {
    throw new UserError('you may only specify a single resource type with -w');
  }
  await onCluster(options, async (session) => {
    if (options.watch) return watch(session, targets[0]!, options);
    return options.output && options.output !== 'wide'
      ? printObjects(session, targets, options)
      : printTables(session, targets, options);
  });
}

const selectionOf = (options: GetOptions): Selection => ({
  ...(options.selector ? { labelSelector: options.selector } : {}),
  ...(options.fieldSelector ? { fieldSelector: options.fieldSelector } : {}),
});

/** The path and query of a target: one object, or what the options select. */
function requestFor(session: Session, { info, name }: Target, options: GetOptions) {
  const namespace = options.allNamespaces ? undefined : namespaceFor(info, undefined, session.namespace);
  if (name && options.allNamespaces && info.namespaced) {
    throw new UserError('a resource cannot be retrieved by name across all namespaces');
  }
  return {
    path: pathOf(info, { namespace, ...(name ? { name } : {}) }),
    query: name ? {} : { ...selectionOf(options) },
  };
}

function printerFor(target: Target, several: boolean, options: GetOptions): TablePrinter {
  return new TablePrinter({
    wide: options.output === 'wide',
    withNamespace: options.allNamespaces === true && target.info.namespaced,
    noHeaders: options.headers === false,
    showLabels: options.showLabels ?? false,
    ...(several ? { kind: printedKind(target.info) } : {}),
  });
}

/** What one target gives, or undefined where it failed and was reported. */
async function ask<T>(session: Session, options: GetOptions, question: () => Promise<T>): Promise<T | undefined> {
  try {
    return await question();
  } catch (error) {
    if (!(options.ignoreNotFound && error instanceof StatusError && error.httpStatus === 404)) session.fail(error);
    return undefined;
  }
}

async function printTables(session: Session, targets: Target[], options: GetOptions): Promise<void> {
  const several = new Set(targets.map(({ info }) => info)).size > 1;
  const printers = new Map<ResourceInfo, TablePrinter>();
  let failed = false;
  for (const target of targets) {
    const table = await ask(session, options, () =>
      requestJson<Table>(session, { ...requestFor(session, target, options), accept: tableType }),
    );
    failed ||= table === undefined;
    if (!table || table.rows.length === 0) continue;
    let printer = printers.get(target.info);
    if (!printer) {
      if (printers.size > 0) session.print('');
      printers.set(target.info, (printer = printerFor(target, several, options)));
    }
    for (const line of printer.lines(table)) session.print(line);
  }
  if (printers.size === 0 && !failed) session.note(nothingFound(session, targets, options));
}

function nothingFound(session: Session, targets: Target[], options: GetOptions): string {
  const everywhere = options.allNamespaces || targets.every(({ info }) => !info.namespaced);
  return everywhere ? 'No resources found' : `No resources found in ${session.namespace} namespace.`;
}

async function printObjects(session: Session, targets: Target[], options: GetOptions): Promise<void> {
  const found: { info: ResourceInfo; object: KubeObject }[] = [];
  for (const { info, name } of targets) {
    const resource = session.client.resource(info);
    const namespace = options.allNamespaces ? undefined : namespaceFor(info, undefined, session.namespace);
    const objects = await ask(session, options, async () =>
      name
        ? [await resource.get(name, namespace)]
        : (await resource.list({ ...selectionOf(options), ...(namespace ? { namespace } : {}) })).items,
    );
    found.push(...(objects ?? []).map((object) => ({ info, object })));
  }
  if (options.output === 'name') {
    for (const { info, object } of found) session.print(printedName(info, object.metadata.name));
    return;
  }
  const single = targets.length === 1 && targets[0]!.name !== undefined;
  if (single && found.length === 0) return;
  const values = found.map(({ object }) => object as KubeObject & JsonObject);
  const value = single ? values[0]! : listOf(values);
  session.print(options.output === 'json' ? asJson(value) : await asYaml(value));
}

/** What is there first, then a row for each change, until interrupted. */
async function watch(session: Session, target: Target, options: GetOptions): Promise<void> {
  const { info, name } = target;
  if (options.output && options.output !== 'wide') throw new UserError('-w prints tables only');
  const list = requestFor(session, { info }, options);
  const query = { ...list.query, ...(name ? { fieldSelector: `metadata.name=${name}` } : {}) };
  const printer = printerFor(target, false, options);
  const show = (table: Table): void => printer.lines(table).forEach((line) => session.print(line));
  if (name) await requestJson(session, requestFor(session, target, options));
  const first = await requestJson<Table>(session, { path: list.path, query, accept: tableType });
  if (first.rows.length > 0) show(first);
  let resourceVersion = first.metadata.resourceVersion ?? '';
  // The server ends a watch after a while; it goes on from where it was.
  for (;;) {
    const events = jsonLinesOf(session, {
      path: list.path,
      query: { ...query, watch: 'true', resourceVersion },
      accept: tableType,
    });
    for await (const event of events) {
      if (!isJsonObject(event) || !isJsonObject(event.object)) continue;
      if (event.type === 'ERROR' && isStatus(event.object)) throw new StatusError(event.object);
      const table = event.object as JsonObject & Table;
      if (event.type === 'BOOKMARK') continue;
      resourceVersion = table.rows[0]?.object.metadata.resourceVersion ?? resourceVersion;
      show(table);
    }
  }
}
