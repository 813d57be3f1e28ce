import test from 'ava';
import { negotiate, parseAccept } from './negotiate.js';

const all = ['json', 'yaml', 'protobuf'] as const;
const shapes = ['object', 'Table', 'PartialObjectMetadata'] as const;

test('the first wish that can be fulfilled', (t) => {
  t.is(negotiate(undefined, all).media, 'json');
  t.is(negotiate('*/*', all).media, 'json');
  t.is(negotiate('application/vnd.kubernetes.protobuf,application/json', all).media, 'protobuf');
  t.is(negotiate('application/vnd.kubernetes.protobuf,application/json', ['json']).media, 'json');
  t.is(negotiate('application/json;q=0.5,application/yaml', all).media, 'yaml');
  t.like(negotiate('application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json', all, shapes), {
    shape: 'Table',
    shapeVersion: 'v1beta1',
  });
  t.is(negotiate('application/json;as=Table;v=v1;g=meta.k8s.io,application/json', all).shape, 'object');
  t.is(
    negotiate('application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io', all, shapes).shape,
    'PartialObjectMetadata',
  );
});

test('nothing that can be fulfilled is a 406', (t) => {
  const error = t.throws(() => negotiate('text/html', all));
  t.regex(error?.message ?? '', /only the following media types are accepted: application\/json/);
});

test('parameters may be quoted', (t) => {
  t.is(parseAccept('application/json; as="Table" ;v=v1')[0]?.params.get('as'), 'Table');
});
