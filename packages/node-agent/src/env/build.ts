import type { core } from '@flotilla/api';
import { configMapEntries, secretEntries } from '@flotilla/sandbox';
import { expand } from './expand.js';
import { type FieldContext, fieldValue, resourceValue } from './fields.js';

/** Where ConfigMaps and Secrets are looked up: synchronous, from a cache. */
export interface ConfigLookup {
  configMap(namespace: string, name: string): core.ConfigMap | undefined;
  secret(namespace: string, name: string): core.Secret | undefined;
}

export interface EnvContext extends FieldContext, ConfigLookup {
  /** What a pod sees of services, lowest in rank: overridden by all else. */
  services: Record<string, string>;
  /** The image's own variables. */
  image: Record<string, string>;
}

/** Why the container cannot be configured, in upstream's words. */
export interface EnvProblem {
  problem: string;
}

type Found = { value: string | undefined } | EnvProblem;

/** The environment that the pod's author means the container to have; `$(NAME)` refers to what comes before. */
export function buildEnv(container: core.Container, context: EnvContext): { env: Record<string, string> } | EnvProblem {
  const env: Record<string, string> = { ...context.image, ...context.services };
  const namespace = context.pod.metadata.namespace ?? '';
  for (const source of container.envFrom ?? []) {
    const entries = fromSource(source, namespace, context);
    if ('problem' in entries) return entries;
    for (const [key, value] of Object.entries(entries.env)) env[(source.prefix ?? '') + key] = value;
  }
  // Services are known to `$(…)` as well, as upstream has it.
  for (const variable of container.env ?? []) {
    const found: Found = variable.valueFrom
      ? fromRef(variable.valueFrom, container.name, namespace, context)
      : { value: expand(variable.value ?? '', (name) => env[name]) };
    if ('problem' in found) return found;
    if (found.value !== undefined) env[variable.name] = found.value;
  }
  return { env };
}

function fromSource(
  source: core.EnvFromSource,
  namespace: string,
  lookup: ConfigLookup,
): { env: Record<string, string> } | EnvProblem {
  if (source.configMapRef) {
    const { name = '', optional } = source.configMapRef;
    const object = lookup.configMap(namespace, name);
    if (!object) return optional ? { env: {} } : { problem: `configmap "${name}" not found` };
    return { env: { ...object.data } };
  }
  if (source.secretRef) {
    const { name = '', optional } = source.secretRef;
    const object = lookup.secret(namespace, name);
    if (!object) return optional ? { env: {} } : { problem: `secret "${name}" not found` };
    return { env: Object.fromEntries([...secretEntries(object)].map(([key, bytes]) => [key, text(bytes)])) };
  }
  return { env: {} };
}

function fromRef(source: core.EnvVarSource, container: string, namespace: string, context: EnvContext): Found {
  if (source.fieldRef) {
    const value = fieldValue(context, source.fieldRef.fieldPath);
    return value === undefined ? { problem: `unsupported fieldPath: ${source.fieldRef.fieldPath}` } : { value };
  }
  if (source.resourceFieldRef) {
    const value = resourceValue(context, source.resourceFieldRef, container);
    return value === undefined ? { problem: `unsupported resource: ${source.resourceFieldRef.resource}` } : { value };
  }
  if (source.configMapKeyRef) {
    const { name = '' } = source.configMapKeyRef;
    const object = context.configMap(namespace, name);
    return fromKey('ConfigMap', namespace, source.configMapKeyRef, object && configMapEntries(object));
  }
  if (source.secretKeyRef) {
    const { name = '' } = source.secretKeyRef;
    const object = context.secret(namespace, name);
    return fromKey('Secret', namespace, source.secretKeyRef, object && secretEntries(object));
  }
  return { problem: 'this kind of valueFrom is not supported yet' };
}

function fromKey(
  kind: 'ConfigMap' | 'Secret',
  namespace: string,
  { name = '', key, optional }: core.ConfigMapKeySelector,
  entries: Map<string, Uint8Array> | undefined,
): Found {
  const bytes = entries?.get(key);
  if (bytes) return { value: text(bytes) };
  if (optional) return { value: undefined };
  return {
    problem: entries
      ? `couldn't find key ${key} in ${kind} ${namespace}/${name}`
      : `${kind.toLowerCase()} "${name}" not found`,
  };
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}
