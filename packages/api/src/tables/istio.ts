import type * as istio from '../gen/istio.js';
import { type Cell, column, nameColumn, nameOf, objectAge, type Printer } from './columns.js';

/** Printer columns of custom resources: a list is shown as JSON, what is absent as nothing. */
const age = column(
  'Age',
  'date',
  'CreationTimestamp is a timestamp representing the server time when this object was created.',
);

function listCell(list: readonly string[] | undefined): Cell {
  return list && list.length > 0 ? JSON.stringify(list) : null;
}

export const gatewayPrinter: Printer = {
  columns: [nameColumn, age],
  cells: (gateway: istio.Gateway, now): Cell[] => [nameOf(gateway), objectAge(gateway, now)],
};

export const virtualServicePrinter: Printer = {
  columns: [
    nameColumn,
    column('Gateways', 'string', 'The names of gateways and sidecars that should apply these routes'),
    column('Hosts', 'string', 'The destination hosts to which traffic is being sent'),
    age,
  ],
  cells: (service: istio.VirtualService, now): Cell[] => [
    nameOf(service),
    listCell(service.spec?.gateways),
    listCell(service.spec?.hosts),
    objectAge(service, now),
  ],
};

export const destinationRulePrinter: Printer = {
  columns: [nameColumn, column('Host', 'string', 'The name of a service from the service registry'), age],
  cells: (rule: istio.DestinationRule, now): Cell[] => [nameOf(rule), rule.spec?.host ?? null, objectAge(rule, now)],
};
