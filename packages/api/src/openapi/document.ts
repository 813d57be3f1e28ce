import { type ResourceInfo, resources } from '../resources.js';
import type { JsonObject } from '../schema/json.js';
import { schemaOf } from '../schema/tables.js';
import { type CreatedKind, createdPathsOf, pathsOf } from './paths.js';
import { Components } from './schemas.js';

/**
 * The OpenAPI v3 document of one group and version, with every schema that it refers to: what `kubectl apply`, `explain`
 * and strategic patches in clients work from. `created` are the group's kinds that can only be created (reviews). Undefined
 * for what is not served. Building one costs some milliseconds: keep it.
 */
export function openApiV3(
  group: string,
  version: string,
  created: readonly CreatedKind[] = [],
): JsonObject | undefined {
  const served = resources.filter((info) => info.group === group && info.version === version);
  if (served.length + created.length === 0) return undefined;
  const components = new Components();
  for (const info of served) addKinds(components, info);
  for (const { kind, schema } of created) components.add(schema, [{ group, version, kind }]);
  if (served.length > 0) {
    components.add(schemaOf('meta.DeleteOptions'), [{ group, version, kind: 'DeleteOptions' }]);
    components.add(schemaOf('meta.Status'), [{ group: '', version: 'v1', kind: 'Status' }]);
  }
  const parts = [
    ...served.map((info) => pathsOf(info, components)),
    ...created.map((kind) => createdPathsOf(kind, components)),
  ];
  const paths = Object.assign({}, ...parts) as JsonObject;
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'v1.36.0' },
    paths,
    components: { schemas: components.toJson() },
  };
}

function addKinds(components: Components, info: ResourceInfo): void {
  const { group, version, kind, listKind } = info;
  components.add(info.schema, [{ group, version, kind }]);
  components.add(info.listSchema, [{ group, version, kind: listKind }]);
  if (info.subresources.includes('scale')) {
    components.add(schemaOf('autoscaling.Scale'), [{ group: 'autoscaling', version: 'v1', kind: 'Scale' }]);
  }
}
