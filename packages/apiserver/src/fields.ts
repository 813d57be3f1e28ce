import { badRequest, type core, type FieldSelector, type KubeObject, type ResourceInfo } from '@flotilla/api';

type FieldsOf<T> = (object: T) => Readonly<Record<string, string>>;

const text = (value: string | boolean | null | undefined): string => String(value ?? '');

const podFields: FieldsOf<core.Pod> = ({ spec, status }) => ({
  'spec.nodeName': text(spec.nodeName),
  'spec.restartPolicy': text(spec.restartPolicy),
  'spec.schedulerName': text(spec.schedulerName),
  'spec.serviceAccountName': text(spec.serviceAccountName),
  'spec.hostNetwork': text(spec.hostNetwork ?? false),
  'status.phase': text(status.phase),
  'status.podIP': text(status.podIP),
  'status.nominatedNodeName': text(status.nominatedNodeName),
});

const eventFields: FieldsOf<core.Event> = (event) => {
  const about = event.involvedObject;
  return {
    'involvedObject.kind': text(about.kind),
    'involvedObject.namespace': text(about.namespace),
    'involvedObject.name': text(about.name),
    'involvedObject.uid': text(about.uid),
    'involvedObject.apiVersion': text(about.apiVersion),
    'involvedObject.resourceVersion': text(about.resourceVersion),
    'involvedObject.fieldPath': text(about.fieldPath),
    reason: text(event.reason),
    reportingComponent: text(event.reportingComponent),
    source: text(event.source?.component || event.reportingComponent),
    type: text(event.type),
  };
};

/** Fields of kinds that can be selected by, besides name and namespace: upstream's `GetAttrs` of each registry. */
const fieldsOf: Readonly<Record<string, FieldsOf<never>>> = {
  pods: podFields,
  events: eventFields,
  nodes: (node: core.Node) => ({ 'spec.unschedulable': text(node.spec.unschedulable ?? false) }),
  namespaces: (namespace: core.Namespace) => ({ 'status.phase': text(namespace.status.phase) }),
  secrets: (secret: core.Secret) => ({ type: text(secret.type) }),
  services: (service: core.Service) => ({
    'spec.clusterIP': text(service.spec.clusterIP),
    'spec.type': text(service.spec.type),
  }),
};

/** The selectable fields of a stored object. */
export function selectableFields(info: ResourceInfo, object: KubeObject): Readonly<Record<string, string>> {
  const own = fieldsOf[info.resource] as FieldsOf<KubeObject> | undefined;
  return {
    'metadata.name': text(object.metadata.name),
    'metadata.namespace': text(object.metadata.namespace),
    ...own?.(object),
  };
}

const known = new Map<string, ReadonlySet<string>>();
const emptyOf: Readonly<Record<string, KubeObject & Record<string, unknown>>> = {
  pods: { metadata: {}, spec: {}, status: {} },
  events: { metadata: {}, involvedObject: {} },
  nodes: { metadata: {}, spec: {} },
  namespaces: { metadata: {}, status: {} },
  secrets: { metadata: {} },
  services: { metadata: {}, spec: {} },
};

/** Throws 400 for a field that objects of this kind cannot be selected by. */
export function checkFieldSelector(info: ResourceInfo, selector: FieldSelector): void {
  let names = known.get(info.resource);
  if (!names) {
    names = new Set(Object.keys(selectableFields(info, emptyOf[info.resource] ?? { metadata: {} })));
    known.set(info.resource, names);
  }
  for (const { field } of selector.requirements) {
    if (names.has(field)) continue;
    throw badRequest(`field label not supported: ${field}`);
  }
}
