import type { core } from '@flotilla/api';
import {
  configMapEntries,
  keyedPayload,
  mergePayloads,
  type Payload,
  type PayloadProblem,
  secretEntries,
} from '@flotilla/sandbox';
import type { ConfigLookup } from '../env/build.js';
import { type FieldContext, fieldValue, resourceValue } from '../env/fields.js';

const defaultMode = 0o644;

/** The files of a volume whose content comes from the API; undefined if it is of another kind. */
export function payloadOf(
  volume: core.Volume,
  context: FieldContext & ConfigLookup,
): Payload | PayloadProblem | undefined {
  const namespace = context.pod.metadata.namespace ?? '';
  if (volume.configMap) {
    const mode = volume.configMap.defaultMode ?? defaultMode;
    return ofConfigMap(volume.configMap, mode, namespace, context);
  }
  if (volume.secret) {
    const { secretName: name = '', ...rest } = volume.secret;
    return ofSecret({ ...rest, name }, volume.secret.defaultMode ?? defaultMode, namespace, context);
  }
  if (volume.downwardAPI) {
    return ofFields(volume.downwardAPI.items ?? [], volume.downwardAPI.defaultMode ?? defaultMode, context);
  }
  if (volume.projected) return ofSources(volume.projected, namespace, context);
  return undefined;
}

function ofSources(
  projected: core.ProjectedVolumeSource,
  namespace: string,
  context: FieldContext & ConfigLookup,
): Payload | PayloadProblem {
  const mode = projected.defaultMode ?? defaultMode;
  const parts: Payload[] = [];
  for (const source of projected.sources) {
    const part = source.configMap
      ? ofConfigMap(source.configMap, mode, namespace, context)
      : source.secret
        ? ofSecret(source.secret, mode, namespace, context)
        : source.downwardAPI
          ? ofFields(source.downwardAPI.items ?? [], mode, context)
          : { problem: `projected source ${Object.keys(source).join(', ')} is not supported yet` };
    if ('problem' in part) return part;
    parts.push(part);
  }
  return mergePayloads(parts);
}

type Keyed = { name?: string; items?: core.KeyToPath[]; optional?: boolean };

function ofConfigMap(source: Keyed, mode: number, namespace: string, lookup: ConfigLookup): Payload | PayloadProblem {
  const object = lookup.configMap(namespace, source.name ?? '');
  return ofKeyed(source, mode, object && configMapEntries(object), `configmap "${source.name}" not found`);
}

function ofSecret(source: Keyed, mode: number, namespace: string, lookup: ConfigLookup): Payload | PayloadProblem {
  const object = lookup.secret(namespace, source.name ?? '');
  return ofKeyed(source, mode, object && secretEntries(object), `secret "${source.name}" not found`);
}

function ofKeyed(
  source: Keyed,
  mode: number,
  entries: Map<string, Uint8Array> | undefined,
  missing: string,
): Payload | PayloadProblem {
  if (!entries && !source.optional) return { problem: missing };
  return keyedPayload(entries ?? new Map<string, Uint8Array>(), {
    ...(source.items ? { items: source.items } : {}),
    defaultMode: mode,
    optional: source.optional === true,
  });
}

function ofFields(items: core.DownwardAPIVolumeFile[], mode: number, context: FieldContext): Payload | PayloadProblem {
  const payload = new Map<string, { data: Uint8Array; mode: number }>();
  for (const item of items) {
    const value = item.fieldRef
      ? fieldValue(context, item.fieldRef.fieldPath)
      : item.resourceFieldRef && resourceValue(context, item.resourceFieldRef, '');
    if (value === undefined) return { problem: `unsupported field for ${item.path}` };
    payload.set(item.path, { data: Buffer.from(value), mode: item.mode ?? mode });
  }
  return payload;
}

/** Names of the ConfigMaps and Secrets that the pod's volumes and variables refer to, as `configmaps/name`, `secrets/name`. */
export function references(spec: core.PodSpec): Set<string> {
  const found = new Set<string>();
  const configMap = (name?: string): unknown => name && found.add(`configmaps/${name}`);
  const secret = (name?: string): unknown => name && found.add(`secrets/${name}`);
  for (const volume of spec.volumes ?? []) {
    configMap(volume.configMap?.name);
    secret(volume.secret?.secretName);
    for (const source of volume.projected?.sources ?? []) {
      configMap(source.configMap?.name);
      secret(source.secret?.name);
    }
  }
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    for (const source of container.envFrom ?? []) {
      configMap(source.configMapRef?.name);
      secret(source.secretRef?.name);
    }
    for (const { valueFrom } of container.env ?? []) {
      configMap(valueFrom?.configMapKeyRef?.name);
      secret(valueFrom?.secretKeyRef?.name);
    }
  }
  return found;
}
