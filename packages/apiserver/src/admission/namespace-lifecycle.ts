import { failure, forbidden, namespaces, notFound, type StatusError } from '@flotilla/api';
import type { Admission, AdmissionStep, ClusterView } from './step.js';

const immortal = new Set(['default', 'kube-system', 'kube-public']);

function refusal(admission: Admission, cluster: ClusterView): StatusError | undefined {
  const { info, name, namespace, operation } = admission;
  if (info.group === '' && info.resource === 'namespaces') {
    return operation === 'DELETE' && immortal.has(name)
      ? forbidden(info, name, 'this namespace may not be deleted')
      : undefined;
  }
  if (!info.namespaced || operation !== 'CREATE') return undefined;
  const found = cluster.find(namespaces, '', namespace);
  if (!found) return notFound(namespaces, namespace);
  if (found.status.phase !== 'Terminating') return undefined;
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  const { status } = forbidden(info, name, why);
  // Clients (client-go's namespace tests, controllers) recognise the situation by this cause.
  const cause = {
    reason: 'NamespaceTerminating',
    message: `namespace ${namespace} is being terminated`,
    field: 'metadata.namespace',
  };
  return failure('Forbidden', status.message ?? why, { ...status.details, causes: [cause] });
}

/** Nothing is created in a namespace that is missing or on its way out; the system's own namespaces stay. */
export const namespaceLifecycle: AdmissionStep = { name: 'NamespaceLifecycle', admit: refusal };
