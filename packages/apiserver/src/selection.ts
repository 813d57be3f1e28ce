import {
  FieldSelector,
  fieldsOf,
  type KubeObject,
  LabelSelector,
  parseFieldSelector,
  parseLabelSelector,
  type ResourceInfo,
  supportedFieldSelector,
} from '@flotilla/api';
import { convert } from './versions.js';

/** Which objects of a kind a list, watch or collection delete is about. */
export interface Selection {
  all: boolean;
  /** Set when the selection can only be the one object of that name: no need to scan. */
  name: string | undefined;
  matches(stored: KubeObject): boolean;
}

/** Reads `labelSelector` and `fieldSelector`. Throws 400. Selects stored objects, whatever version is served. */
export function selectionOf(info: ResourceInfo, query: URLSearchParams, name: string): Selection {
  const labels = query.get('labelSelector')
    ? parseLabelSelector(query.get('labelSelector') ?? '')
    : LabelSelector.everything;
  const fields = supportedFieldSelector(info, parseFieldSelector(query.get('fieldSelector') ?? ''));
  const own = name
    ? new FieldSelector([...fields.requirements, { field: 'metadata.name', operator: '=', value: name }])
    : fields;
  return {
    all: labels.isEmpty && own.isEmpty,
    name: own.exact('metadata.name'),
    matches: (object) =>
      (labels.isEmpty || labels.matches(object.metadata.labels)) &&
      (own.isEmpty || own.matches(fieldsOf(info, convert(info, object)))),
  };
}
