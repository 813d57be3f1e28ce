import {
  apiVersionOf,
  type core,
  decodeJson,
  type events,
  findResource,
  type JsonObject,
  type KubeObject,
  type ResourceInfo,
} from '@flotilla/api';

type Fields = Readonly<Record<string, unknown>>;

/** The two faces of an event: name in the core group, name in events.k8s.io. What is not listed has one name. */
const eventFields: readonly (readonly [keyof core.Event, keyof events.Event])[] = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
];

function renamed(object: KubeObject, pairs: readonly (readonly [string, string])[]): KubeObject {
  const names = new Map(pairs);
  const entries = Object.entries(object as KubeObject & Fields).map(([k, v]) => [names.get(k) ?? k, v] as const);
  return { ...Object.fromEntries(entries), metadata: object.metadata };
}

const toNew = eventFields.map(([core, group]) => [core, group] as const);
const toCore = eventFields.map(([core, group]) => [group, core] as const);

const views = new Map<string, WeakMap<KubeObject, KubeObject>>();

/** The version in which a kind is stored, if it is not `info` itself. */
export function storedInfo(info: ResourceInfo): ResourceInfo {
  if (info.kind === 'Event') return findResource('', 'v1', 'events') ?? info;
  return info.storageVersion === undefined || info.storageVersion === info.version
    ? info
    : (findResource(info.group, info.storageVersion, info.resource) ?? info);
}

function changeVersion(object: KubeObject, info: ResourceInfo): KubeObject {
  const apiVersion = apiVersionOf(info);
  if (object.kind !== 'Event') return { ...object, apiVersion };
  const other = { ...renamed(object, apiVersion === 'v1' ? toCore : toNew), apiVersion };
  // Each face has fields of its own that are never absent.
  return decodeJson<KubeObject>(info.schema, other as object as JsonObject).value;
}

/**
 * `object` in the version of `info`, or (`stored`) in the one that its kind is stored in. Views of one object are made
 * once, so that what hangs on its identity (serialised forms) is shared by all readers.
 */
export function convert(info: ResourceInfo, object: KubeObject, as: 'asked' | 'stored' = 'asked'): KubeObject {
  const wanted = as === 'stored' ? storedInfo(info) : info;
  const apiVersion = apiVersionOf(wanted);
  if (object.apiVersion === apiVersion) return object;
  let made = views.get(apiVersion);
  if (!made) views.set(apiVersion, (made = new WeakMap()));
  let view = made.get(object);
  if (!view) made.set(object, (view = changeVersion(object, wanted)));
  return view;
}
