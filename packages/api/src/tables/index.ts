import type * as meta from '../gen/meta-v1.js';
import type { KubeObject } from '../resources.js';
import {
  configMapPrinter,
  leasePrinter,
  namespacePrinter,
  nodePrinter,
  secretPrinter,
  serviceAccountPrinter,
} from './cluster.js';
import { ageColumn, type Cell, nameColumn, nameOf, objectAge, type Printer } from './columns.js';
import { coreEventPrinter, eventPrinter } from './events.js';
import { destinationRulePrinter, gatewayPrinter, virtualServicePrinter } from './istio.js';
import {
  endpointSlicePrinter,
  endpointsPrinter,
  ingressClassPrinter,
  ingressPrinter,
  servicePrinter,
} from './network.js';
import { podPrinter } from './pods.js';
import { persistentVolumeClaimPrinter, persistentVolumePrinter, storageClassPrinter } from './storage.js';
import { deploymentPrinter, replicaSetPrinter } from './workloads.js';

const printers: Record<string, Printer> = {
  '/Namespace': namespacePrinter,
  '/Node': nodePrinter,
  '/Pod': podPrinter,
  '/Service': servicePrinter,
  '/Endpoints': endpointsPrinter,
  '/ConfigMap': configMapPrinter,
  '/Secret': secretPrinter,
  '/ServiceAccount': serviceAccountPrinter,
  '/Event': coreEventPrinter,
  '/PersistentVolume': persistentVolumePrinter,
  '/PersistentVolumeClaim': persistentVolumeClaimPrinter,
  'apps/Deployment': deploymentPrinter,
  'apps/ReplicaSet': replicaSetPrinter,
  'coordination.k8s.io/Lease': leasePrinter,
  'discovery.k8s.io/EndpointSlice': endpointSlicePrinter,
  'events.k8s.io/Event': eventPrinter,
  'networking.k8s.io/Ingress': ingressPrinter,
  'networking.k8s.io/IngressClass': ingressClassPrinter,
  'networking.istio.io/Gateway': gatewayPrinter,
  'networking.istio.io/VirtualService': virtualServicePrinter,
  'networking.istio.io/DestinationRule': destinationRulePrinter,
  'storage.k8s.io/StorageClass': storageClassPrinter,
};

/** Upstream's fallback (`defaultTableConvertor`) for kinds without columns of their own. */
const plainPrinter: Printer = {
  columns: [nameColumn, { ...ageColumn, name: 'Created At', type: 'date' }],
  cells: (object, now): Cell[] => [nameOf(object), objectAge(object, now)],
};

export interface TableRow {
  cells: Cell[];
  conditions?: meta.TableRowCondition[];
  object: meta.PartialObjectMetadata;
}

/** A `meta.k8s.io/v1` Table, with the cells that the schema leaves out because protobuf has none. */
export interface Table {
  kind: 'Table';
  apiVersion: 'meta.k8s.io/v1';
  metadata: meta.ListMeta;
  columnDefinitions: meta.TableColumnDefinition[];
  rows: TableRow[];
}

/**
 * The objects as `kubectl get` shows them, one row each, at `now` (milliseconds since the epoch). Every row carries its
 * object's metadata; the caller fills the list's own metadata and swaps the rows' objects where `includeObject` asks.
 */
export function tableFor(
  info: { readonly group: string; readonly kind: string },
  objects: readonly KubeObject[],
  now: number,
): Table {
  const key = `${info.group}/${info.kind}`;
  const printer = Object.hasOwn(printers, key) ? printers[key]! : plainPrinter;
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: {},
    columnDefinitions: [...printer.columns],
    rows: objects.map((object) => rowFor(printer, object, now)),
  };
}

function rowFor(printer: Printer, object: KubeObject, now: number): TableRow {
  const conditions = printer.conditions?.(object);
  return {
    cells: printer.cells(object, now),
    ...(conditions ? { conditions } : {}),
    object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata },
  };
}
