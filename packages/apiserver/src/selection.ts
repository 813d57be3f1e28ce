import {
  FieldSelector,
  type KubeObject,
  LabelSelector,
  parseFieldSelector,
  parseLabelSelector,
  type ResourceInfo,
} from '@flotilla/api';
import { checkFieldSelector, selectableFields } from './fields.js';
import { storedInfo } from './versions.js';

/** Which objects of a kind a list, watch or collection delete is about. */
export interface Selection {
  all: boolean;
  /** Set when the selection can only be the one object of that name: no need to scan. */
  name: string | undefined;
  matches(stored: KubeObject): boolean;
}

/** Reads `labelSelector` and `fieldSelector`. Throws 400. Selects stored objects, whatever version is served. */
export function selectionOf(info: ResourceInfo, query: URLSearchParams, name: string): Selection {
  const stored = storedInfo(info);
  const labels = query.get('labelSelector')
    ? parseLabelSelector(query.get('labelSelector') ?? '')
    : LabelSelector.everything;
  const fields = parseFieldSelector(fieldText(info, query.get('fieldSelector') ?? ''));
  const own = name
    ? new FieldSelector([...fields.requirements, { field: 'metadata.name', operator: '=', value: name }])
    : fields;
  checkFieldSelector(stored, own);
  return {
    all: labels.isEmpty && own.isEmpty,
    name: own.exact('metadata.name'),
    matches: (object) =>
      (labels.isEmpty || labels.matches(object.metadata.labels)) &&
      (own.isEmpty || own.matches(selectableFields(stored, object))),
  };
}

/** events.k8s.io selects by its own names of the fields. */
function fieldText(info: ResourceInfo, text: string): string {
  return info.group === 'events.k8s.io'
    ? text
        .replace(/(^|,)regarding\./g, '$1involvedObject.')
        .replace(/(^|,)reportingController/g, '$1reportingComponent')
    : text;
}
