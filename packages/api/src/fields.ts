import type * as core from './gen/core-v1.js';
import type * as eventsApi from './gen/events-v1.js';
import type { KubeObject } from './resources.js';
import { FieldSelector } from './field-selectors.js';
import { badRequest } from './status.js';

/** The fields of one kind by which it can be selected. Method syntax, so that a kind's own type fits. */
interface Selectable {
  fields(object: KubeObject): Record<string, string | undefined>;
}

interface KindRef {
  readonly group: string;
  readonly kind: string;
  readonly custom?: boolean;
}

function referenceFields(prefix: string, ref: core.ObjectReference): Record<string, string | undefined> {
  return {
    [`${prefix}.kind`]: ref.kind,
    [`${prefix}.namespace`]: ref.namespace,
    [`${prefix}.name`]: ref.name,
    [`${prefix}.uid`]: ref.uid,
    [`${prefix}.apiVersion`]: ref.apiVersion,
    [`${prefix}.resourceVersion`]: ref.resourceVersion,
    [`${prefix}.fieldPath`]: ref.fieldPath,
  };
}

/** The kinds with fields of their own, as upstream's `AddFieldLabelConversionFunc` and `ToSelectableFields` list them. */
const selectable: Record<string, Selectable> = {
  '/Pod': {
    fields: ({ spec, status }: core.Pod) => ({
      'spec.nodeName': spec.nodeName,
      'spec.restartPolicy': spec.restartPolicy,
      'spec.schedulerName': spec.schedulerName,
      'spec.serviceAccountName': spec.serviceAccountName,
      'spec.hostNetwork': String(spec.hostNetwork ?? false),
      'status.phase': status?.phase,
      'status.podIP': status?.podIP,
      'status.podIPs': status?.podIP,
      'status.nominatedNodeName': status?.nominatedNodeName,
    }),
  },
  '/Node': { fields: ({ spec }: core.Node) => ({ 'spec.unschedulable': String(spec?.unschedulable ?? false) }) },
  '/Namespace': { fields: ({ status }: core.Namespace) => ({ 'status.phase': status?.phase }) },
  '/Secret': { fields: ({ type }: core.Secret) => ({ type }) },
  '/Service': {
    fields: ({ spec }: core.Service) => ({ 'spec.clusterIP': spec.clusterIP, 'spec.type': spec.type }),
  },
  '/Event': {
    fields: (event: core.Event) => ({
      ...referenceFields('involvedObject', event.involvedObject),
      reason: event.reason,
      reportingComponent: event.reportingComponent,
      source: event.source?.component || event.reportingComponent,
      type: event.type,
    }),
  },
  'events.k8s.io/Event': {
    fields: (event: eventsApi.Event) => ({
      ...referenceFields('regarding', event.regarding),
      reason: event.reason,
      reportingController: event.reportingController,
      type: event.type,
    }),
  },
};

const metadataOnly: Selectable = { fields: () => ({}) };

/**
 * The fields of `object` that a field selector can name, with the empty text for what is absent. Fields that its kind
 * does not support are not there.
 */
export function fieldsOf(info: KindRef, object: KubeObject): Record<string, string> {
  const own = selectable[`${info.group}/${info.kind}`] ?? metadataOnly;
  const fields: Record<string, string> = {
    'metadata.name': object.metadata.name ?? '',
    'metadata.namespace': object.metadata.namespace ?? '',
  };
  for (const [name, value] of Object.entries(own.fields(object))) fields[name] = value ?? '';
  return fields;
}

const labels: Record<string, readonly string[]> = {
  '/Pod': [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.podIPs',
    'status.nominatedNodeName',
  ],
  '/Node': ['spec.unschedulable'],
  '/Namespace': ['status.phase'],
  '/Secret': ['type'],
  '/Service': ['spec.clusterIP', 'spec.type'],
  '/Event': [...Object.keys(referenceFields('involvedObject', {})), 'reason', 'reportingComponent', 'source', 'type'],
  'events.k8s.io/Event': [...Object.keys(referenceFields('regarding', {})), 'reason', 'reportingController', 'type'],
};

/** Kinds whose conversion upstream knows only `metadata.name`, because they have no namespace. */
const unnamespaced = new Set(['/Node', '/Namespace']);

/**
 * The selector with the labels of this kind, old spellings replaced. Throws StatusError (BadRequest) for a field that
 * the kind cannot be selected by: `field label not supported: spec.foo`.
 */
export function supportedFieldSelector(info: KindRef, selector: FieldSelector): FieldSelector {
  const key = `${info.group}/${info.kind}`;
  const own = Object.hasOwn(labels, key) ? labels[key] : undefined;
  const known = new Set(['metadata.name', ...(unnamespaced.has(key) ? [] : ['metadata.namespace']), ...(own ?? [])]);
  return new FieldSelector(
    selector.requirements.map((requirement) => {
      const field = key === '/Pod' && requirement.field === 'spec.host' ? 'spec.nodeName' : requirement.field;
      if (known.has(field)) return { ...requirement, field };
      // Upstream's custom resources have a conversion of their own with the shorter words, too.
      if (own || info.custom) throw badRequest(`field label not supported: ${field}`);
      throw badRequest(`"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`);
    }),
  );
}
