import test from 'ava';
import { aggregate, FieldPath, fieldErrors } from './errors.js';
import { alreadyExists, conflict, forbidden, invalid, notFound, resourceVersionTooLarge, timeout } from './status.js';

const pods = { group: '', resource: 'pods' };
const deployment = { group: 'apps', kind: 'Deployment' };

test('a path is written as upstream writes it', (t) => {
  const path = FieldPath.of('spec', 'containers').index(0).child('env').key('k').child('name');
  t.is(path.toString(), 'spec.containers[0].env[k].name');
  t.is(FieldPath.root.toString(), '<nil>');
  t.is(FieldPath.root.child('metadata').toString(), 'metadata');
});

test('each kind of field error has upstream’s words', (t) => {
  const path = FieldPath.of('spec', 'x');
  t.is(String(fieldErrors.required(path)), 'spec.x: Required value');
  t.is(String(fieldErrors.required(path, 'why')), 'spec.x: Required value: why');
  t.is(String(fieldErrors.invalid(path, 'a"b', 'bad')), 'spec.x: Invalid value: "a\\"b": bad');
  t.is(String(fieldErrors.invalid(path, 70000, 'bad')), 'spec.x: Invalid value: 70000: bad');
  t.is(String(fieldErrors.invalid(path, { a: 1 }, 'bad')), 'spec.x: Invalid value: {"a":1}: bad');
  t.is(String(fieldErrors.invalid(path, undefined, 'bad')), 'spec.x: Invalid value: null: bad');
  t.is(
    String(fieldErrors.notSupported(path, 'z', ['A', 'B'])),
    'spec.x: Unsupported value: "z": supported values: "A", "B"',
  );
  t.is(String(fieldErrors.duplicate(path, 'z')), 'spec.x: Duplicate value: "z"');
  t.is(String(fieldErrors.forbidden(path, 'no')), 'spec.x: Forbidden: no');
  t.is(String(fieldErrors.tooLong(path, 10)), 'spec.x: Too long: may not be more than 10 bytes');
  t.is(String(fieldErrors.tooMany(path, 3, 2)), 'spec.x: Too many: 3: must have at most 2 items');
  t.is(String(fieldErrors.notFound(path, 'v')), 'spec.x: Not found: "v"');
});

test('an invalid object names every mistake once and lists all causes', (t) => {
  const one = fieldErrors.required('spec.selector');
  const two = fieldErrors.invalid('spec.replicas', -1, 'must be greater than or equal to 0');
  t.is(invalid(deployment, 'web', [one]).message, 'Deployment.apps "web" is invalid: spec.selector: Required value');
  const error = invalid(deployment, 'web', [one, two, one]);
  t.is(
    error.message,
    'Deployment.apps "web" is invalid: [spec.selector: Required value, spec.replicas: Invalid value: -1: must be greater than or equal to 0]',
  );
  t.like(error.status, { code: 422, reason: 'Invalid', status: 'Failure' });
  t.deepEqual(error.status.details, {
    name: 'web',
    group: 'apps',
    kind: 'Deployment',
    causes: [
      { reason: 'FieldValueRequired', message: 'Required value', field: 'spec.selector' },
      {
        reason: 'FieldValueInvalid',
        message: 'Invalid value: -1: must be greater than or equal to 0',
        field: 'spec.replicas',
      },
      { reason: 'FieldValueRequired', message: 'Required value', field: 'spec.selector' },
    ],
  });
});

test('statuses match upstream word for word', (t) => {
  t.is(notFound(pods, 'x').message, 'pods "x" not found');
  t.is(notFound({ group: 'apps', resource: 'deployments' }, 'x').message, 'deployments.apps "x" not found');
  t.deepEqual(notFound(pods, 'x').status, {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'pods "x" not found',
    reason: 'NotFound',
    details: { name: 'x', kind: 'pods' },
    code: 404,
  });
  t.is(alreadyExists(pods, 'x').message, 'pods "x" already exists');
  t.is(
    conflict(pods, 'x').message,
    'Operation cannot be fulfilled on pods "x": the object has been modified; please apply your changes to the latest version and try again',
  );
  t.is(forbidden(pods, 'x', 'no').message, 'pods "x" is forbidden: no');
  t.is(forbidden(pods, '', 'no').message, 'pods is forbidden: no');
  t.is(timeout('slow').message, 'Timeout: slow');
  t.is(resourceVersionTooLarge(9, 5).message, 'Timeout: Too large resource version: 9, current: 5');
  t.is(conflict(pods, 'x').httpStatus, 409);
});

test('one error stands alone, several stand in brackets', (t) => {
  t.is(aggregate(['a']), 'a');
  t.is(aggregate(['a', 'b', 'a']), '[a, b]');
});
