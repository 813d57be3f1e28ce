import {
  ageOf,
  type core,
  coreEvents,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  type KubeObject,
} from '@flotilla/api';
import { lastAppliedAnnotation } from './last-applied.js';
import { chosen, type SelectionOptions } from './selected.js';
import { onCluster, type Session, type VerbOptions } from './session.js';

export interface DescribeOptions extends VerbOptions, SelectionOptions {}

/** Everything of an object in words, and its events. */
export async function describe(args: string[], options: DescribeOptions): Promise<void> {
  await onCluster(options, async (session) => {
    const whole = args.length === 1 && !args[0]!.includes('/');
    const targets = await chosen(session, args, { ...options, all: whole || options.all === true });
    let first = true;
    for (const { info, name, namespace } of targets) {
      try {
        const object = await session.client.resource(info).get(name, namespace);
        if (!first) session.print('\n');
        first = false;
        for (const line of describeObject(object)) session.print(line);
        for (const line of eventLines(await eventsOf(session, object), Date.now())) session.print(line);
      } catch (error) {
        session.fail(error);
      }
    }
  });
}

/** Identity, labels and annotations first, then the rest of the object as an indented outline. */
export function describeObject(object: KubeObject): string[] {
  const { metadata, apiVersion, kind, ...rest } = unrevealed(object as KubeObject & JsonObject);
  const { name, namespace, labels, annotations, creationTimestamp, ownerReferences, deletionTimestamp } = metadata;
  const { [lastAppliedAnnotation]: _, ...notes } = annotations ?? {};
  const owner = ownerReferences?.find((each) => each.controller);
  const head: JsonObject = {
    Name: name ?? '',
    ...(namespace ? { Namespace: namespace } : {}),
    Kind: `${String(kind)} (${String(apiVersion)})`,
    Labels: pairs(labels),
    Annotations: pairs(notes),
    Created: creationTimestamp ?? '',
    ...(deletionTimestamp ? { Terminating: `since ${deletionTimestamp}` } : {}),
    ...(owner ? { 'Controlled By': `${owner.kind}/${owner.name}` } : {}),
  };
  return [...outline(head, ''), ...outline(rest as JsonObject, '', titled)];
}

/** A secret's values stay secret: how long they are is shown, as kubectl does. */
function unrevealed(object: KubeObject & JsonObject): KubeObject & Record<string, unknown> {
  const { kind, data } = object;
  if (kind !== 'Secret' || !isJsonObject(data)) return object;
  const sizes = Object.entries(data).map(([key, value]) => [
    key,
    `${Buffer.from(String(value as string), 'base64').length} bytes`,
  ]);
  return { ...object, data: Object.fromEntries(sizes) as JsonObject };
}

const pairs = (map: Record<string, string> | undefined): JsonValue => {
  const list = Object.entries(map ?? {}).map(([key, value]) => `${key}=${value}`);
  return list.length === 0 ? '<none>' : list.length === 1 ? list[0]! : list;
};

/** `containerPort` → `Container Port`. */
const titled = (name: string): string =>
  name.replace(/^./, (c) => c.toUpperCase()).replace(/([a-z0-9])([A-Z])/g, '$1 $2');

const isScalar = (value: JsonValue): value is string | number | boolean | null =>
  typeof value !== 'object' || value === null;

const isEmpty = (value: JsonValue): boolean => !isScalar(value) && Object.keys(value).length === 0;

function outline(object: JsonObject, indent: string, title = (name: string): string => name): string[] {
  const entries = Object.entries(object).filter(([, value]) => !isEmpty(value));
  const scalars = entries.filter(([, value]) => isScalar(value)).map(([name]) => title(name).length);
  const column = Math.max(0, ...scalars) + 3;
  return entries.flatMap(([name, value]) => {
    const label = `${indent}${title(name)}:`;
    if (isScalar(value)) return [scalarLine(label.padEnd(indent.length + column), value, indent)];
    if (Array.isArray(value)) return [label, ...listLines(value, `${indent}  `)];
    // Labels, selectors and the like are keyed by names that are not ours to write differently.
    const free = /labels$|data$/i.test(name) || (name === 'selector' && !value.matchLabels && !value.matchExpressions);
    return [label, ...outline(value, `${indent}  `, free ? undefined : titled)];
  });
}

function scalarLine(label: string, value: string | number | boolean | null, indent: string): string {
  const text = String(value);
  if (!text.includes('\n')) return `${label}${text}`.trimEnd();
  const lines = text.trimEnd().split('\n');
  return [label.trimEnd(), ...lines.map((line) => `${indent}  ${line}`)].join('\n');
}

function listLines(list: JsonValue[], indent: string): string[] {
  return list.flatMap((item) => {
    if (isScalar(item)) return [`${indent}${String(item)}`];
    if (!isJsonObject(item)) return [`${indent}${JSON.stringify(item)}`];
    const [first = '', ...more] = outline(item, `${indent}  `, titled);
    return [`${indent}- ${first.trimStart()}`, ...more];
  });
}

async function eventsOf(session: Session, { metadata, kind }: KubeObject): Promise<core.Event[]> {
  const fields = [
    `involvedObject.name=${metadata.name}`,
    ...(kind ? [`involvedObject.kind=${kind}`] : []),
    ...(metadata.uid && kind !== 'Node' ? [`involvedObject.uid=${metadata.uid}`] : []),
  ];
  const { items } = await session.client.resource(coreEvents).list({
    ...(metadata.namespace ? { namespace: metadata.namespace } : {}),
    fieldSelector: fields.join(','),
  });
  return items;
}

const lastSeen = (event: core.Event): string =>
  event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? '';

export function eventLines(events: core.Event[], now: number): string[] {
  if (events.length === 0) return ['Events:  <none>'];
  const rows = [...events]
    .sort((a, b) => (lastSeen(a) < lastSeen(b) ? -1 : 1))
    .map((event) => [
      event.type ?? '',
      event.reason ?? '',
      `${ageOf(lastSeen(event), now)}${(event.count ?? 1) > 1 ? ` (x${event.count})` : ''}`,
      event.source?.component || event.reportingComponent || '',
      (event.message ?? '').trim(),
    ]);
  const all = [['Type', 'Reason', 'Age', 'From', 'Message'], ...rows];
  const widths = all[0]!.map((_, i) => Math.max(...all.map((row) => row[i]!.length)) + 2);
  return [
    'Events:',
    ...all.map(
      (row) =>
        `  ${row
          .map((cell, i) => cell.padEnd(widths[i]!))
          .join('')
          .trimEnd()}`,
    ),
  ];
}
