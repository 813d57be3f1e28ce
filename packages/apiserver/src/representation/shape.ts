import { apiVersionOf, type KubeObject, type meta, type ResourceInfo, tableFor } from '@flotilla/api';
import type { Representation } from '../negotiate.js';

/** What of each object a Table row carries: upstream's `includeObject`. */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

export function includeObjectOf(query: URLSearchParams): IncludeObject {
  const text = query.get('includeObject');
  return text === 'None' || text === 'Object' ? text : 'Metadata';
}

export const partial = (object: KubeObject, version: string): KubeObject => ({
  kind: 'PartialObjectMetadata',
  apiVersion: `meta.k8s.io/${version}`,
  metadata: object.metadata,
});

/** The objects as a Table with the columns `kubectl get` prints. `now` in milliseconds, for ages. */
export function tableOf(
  info: ResourceInfo,
  objects: readonly KubeObject[],
  options: { now: number; version: string; include: IncludeObject; headers?: boolean; metadata?: meta.ListMeta },
): object {
  const table = tableFor(info, objects, options.now);
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${options.version}`,
    metadata: options.metadata ?? { resourceVersion: objects[0]?.metadata.resourceVersion ?? '' },
    columnDefinitions: options.headers === false ? [] : table.columnDefinitions,
    rows: table.rows.map((row, i) => {
      const object = objects[i];
      if (options.include === 'None' || !object) return { ...row, object: undefined };
      return { ...row, object: options.include === 'Object' ? object : partial(object, options.version) };
    }),
  };
}

/** One object as the client wants to see it, still as a JSON value. */
export function shaped(
  info: ResourceInfo,
  object: KubeObject,
  wish: Representation,
  include: IncludeObject,
  now: number,
): object {
  if (wish.shape === 'Table') return tableOf(info, [object], { now, version: wish.shapeVersion, include });
  return wish.shape === 'PartialObjectMetadata' ? partial(object, wish.shapeVersion) : object;
}

export interface ListHead {
  kind: string;
  apiVersion: string;
}

export function listHead(info: ResourceInfo, wish: Representation): ListHead {
  return wish.shape === 'PartialObjectMetadata'
    ? { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${wish.shapeVersion}` }
    : { kind: info.listKind, apiVersion: apiVersionOf(info) };
}
