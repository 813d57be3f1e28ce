import { type core, parseQuantity } from '@flotilla/api';

/** What the fields of a pod are read from when it starts. */
export interface FieldContext {
  pod: core.Pod;
  podIP: string;
  hostIP: string;
  /** What a container may use when it has no limit of its own: cpu in thousandths, memory in bytes. */
  allocatable: { cpuMilli: number; memoryBytes: number };
}

/** The value of a `fieldRef`; undefined if there is no such field to refer to. */
export function fieldValue({ pod, podIP, hostIP }: FieldContext, fieldPath: string): string | undefined {
  const { metadata, spec } = pod;
  const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(fieldPath);
  if (subscript) return metadata[subscript[1] as 'labels' | 'annotations']?.[subscript[2]!] ?? '';
  switch (fieldPath) {
    case 'metadata.name':
      return metadata.name ?? '';
    case 'metadata.namespace':
      return metadata.namespace ?? '';
    case 'metadata.uid':
      return metadata.uid ?? '';
    case 'metadata.labels':
      return formatMap(metadata.labels);
    case 'metadata.annotations':
      return formatMap(metadata.annotations);
    case 'spec.nodeName':
      return spec.nodeName ?? '';
    case 'spec.serviceAccountName':
      return spec.serviceAccountName ?? 'default';
    case 'status.hostIP':
    case 'status.hostIPs':
      return hostIP;
    case 'status.podIP':
    case 'status.podIPs':
      return podIP;
    default:
      return undefined;
  }
}

/** Lines of `key="value"` with Go's escapes, in order of key (upstream's `fieldpath.FormatMap`). */
function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.keys(map ?? {})
    .sort()
    .map((key) => `${key}=${JSON.stringify(map![key])}`)
    .join('\n');
}

/** The value of a `resourceFieldRef`, rounded up to the divisor; undefined if there is no such container or resource. */
export function resourceValue(
  { pod, allocatable }: FieldContext,
  ref: core.ResourceFieldSelector,
  containerName: string,
): string | undefined {
  const name = ref.containerName || containerName;
  const container = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find((c) => c.name === name);
  const [kind, resource] = splitOnce(ref.resource);
  if (!container || (kind !== 'limits' && kind !== 'requests')) return undefined;
  const { limits, requests } = container.resources ?? {};
  const own = kind === 'limits' ? limits?.[resource] : (requests?.[resource] ?? limits?.[resource]);
  const divisor = ref.divisor && ref.divisor !== '0' ? parseQuantity(ref.divisor) : parseQuantity('1');
  if (resource === 'cpu') {
    const milli = own === undefined ? (kind === 'limits' ? allocatable.cpuMilli : 0) : parseQuantity(own).milli();
    return String(Math.ceil(milli / divisor.milli()));
  }
  const fallback = resource === 'memory' && kind === 'limits' ? allocatable.memoryBytes : 0;
  const amount = own === undefined ? fallback : parseQuantity(own).value();
  return String(Math.ceil(amount / divisor.value()));
}

function splitOnce(text: string): [string, string] {
  const dot = text.indexOf('.');
  return dot < 0 ? [text, ''] : [text.slice(0, dot), text.slice(dot + 1)];
}
