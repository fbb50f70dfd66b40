"""Deletions in S3, however each language writes them, and what only looks like one."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardrails.environments import GateKind
from guardrails.files import written_in
from guardrails.scan import Scan, scan_text

BUCKET, MANY, ONE = "delete-bucket", "delete-objects", "delete-object"


def found(code: str, file: str) -> list[str]:
    written = written_in(Path(file))
    assert written is not None
    report = scan_text(code, written, file, Scan(GateKind.PRODUCTION)).report
    return [finding.rule for finding in report.findings]


def lines(code: str, file: str) -> list[int]:
    written = written_in(Path(file))
    assert written is not None
    return [f.line for f in scan_text(code, written, file, Scan(GateKind.PRODUCTION)).report.findings]


PYTHON = [
    ("session = boto3.session.Session()\nc = session.client('s3')\nc.delete_bucket(Bucket='x')", [BUCKET]),
    ("import boto3\nboto3.client('s3').delete_bucket(Bucket='x')", [BUCKET]),
    ("async with aioboto3.Session().client('s3') as s3:\n    await s3.delete_objects(Bucket='x')", [MANY]),
    ("from functools import partial\ngone = partial(client.delete_bucket, Bucket='x')", [BUCKET]),
    ("OPS = {'rm': s3.delete_bucket}\nOPS[op](Bucket='x')", [BUCKET]),
    ("OPS = {'rm': 'delete_bucket', 'ls': 'list_buckets'}\ngetattr(s3, OPS[op])(Bucket='x')", [BUCKET]),
    ("OPS = {'rm': 'delete_bucket'}\ngetattr(s3, OPS.get(op))()", [BUCKET]),
    ("getattr(s3, 'delete_' + 'bucket')(Bucket='x')", [BUCKET]),
    ("NAME = 'delete_bucket'\ngetattr(s3, NAME)(Bucket='x')", [BUCKET]),
    ("for op in ('delete_object', 'get_object'):\n    getattr(s3, op)(Bucket='x', Key='k')", [ONE]),
    ("what = 'objects'\ngetattr(s3, f'delete_{what}')()", [MANY]),
    ("operator.methodcaller('delete_bucket', Bucket='x')(s3)", [BUCKET]),
    ("s3._make_api_call('DeleteBucket', {'Bucket': 'x'})", [BUCKET]),
    ("import boto3\ns3 = boto3.resource('s3')\nfor b in s3.buckets.all():\n    b.objects.all().delete()", []),
    ("import boto3\nb = boto3.resource('s3').Bucket('x')\nb.objects.all().delete()", [MANY]),
    ("import boto3\nb = boto3.resource('s3').Bucket('x')\nb.objects.delete()", [MANY]),
    ("bucket.objects.filter(Prefix='a/').delete()", [MANY]),
    ("import boto3\nbucket.object_versions.all().delete()", [MANY]),
    ("bucket.object_versions.filter(Prefix='a').delete()", [MANY]),
    ("import boto3\nold = boto3.resource('s3').Bucket('x').objects.filter(Prefix='a')\nold.delete()", [MANY]),
    ("b = s3.Bucket('x')\nfor o in b.objects.all():\n    o.delete()", [MANY]),
    ("b = s3.Bucket('x')\n[o.delete() for o in b.objects.filter(Prefix='a')]", [MANY]),
    ("for v in bucket.object_versions.all():\n    v.delete()", [MANY]),
    ("s3.Object('b', 'k').delete()", [ONE]),
    ("s3.ObjectSummary('b', 'k').delete()", [ONE]),
    ("class A:\n  def f(self):\n    self.b = r.Bucket('x')\n  def g(self):\n    self.b.delete()", [BUCKET]),
    ("import boto3\nself.bucket.delete()", [BUCKET]),
    ("def wipe(b: Bucket) -> None:\n    b.delete()", [BUCKET]),
    ("with s3.Bucket('x') as b:\n    b.delete()", [BUCKET]),
    ("bucket = await s3.Bucket('x')\nawait bucket.delete()", [BUCKET]),
    (
        "pages = s3.get_paginator('list_objects_v2').paginate(Bucket='b')\n"
        "for page in pages:\n  for o in page['Contents']:\n    s3.delete_object(Bucket='b', Key=o['Key'])",
        [MANY],
    ),
    (
        "pages = s3.get_paginator('list_objects_v2').paginate(Bucket='b')\n"
        "for page in pages:\n    s3.delete_objects(Bucket='b', Delete={'Objects': page['Contents']})",
        [MANY],
    ),
    ("for o in s3.list_objects_v2(Bucket='b')['Contents']:\n    s3.delete_object(Bucket='b', Key=o)", [MANY]),
    ("[s3.delete_object(Bucket='b', Key=o) for o in r['Contents']]", [MANY]),
    ("for key in ('a', 'b'):\n    s3.delete_object(Bucket='b', Key=key)", [ONE]),
    ("self.client.meta.client.delete_bucket(Bucket='x')", [BUCKET]),
    ("import boto\nb = conn.get_bucket('x')\nconn.delete_bucket('x')", [BUCKET]),
    ("import boto\nbucket.delete_keys(keys)", [MANY]),
    ("lambda: s3.delete_bucket(Bucket='x')", [BUCKET]),
    ("executor.map(s3.delete_object, keys)", [ONE]),
    (
        "class S3:\n    def delete_bucket(self, name):\n        self.client.delete_bucket(Bucket=name)",
        [BUCKET],
    ),
    ("subprocess.run('aws s3 rb s3://x', shell=True)", [BUCKET]),
    ("CMD = ['aws', 's3', 'rb', 's3://x']\nsubprocess.run(CMD)", [BUCKET]),
    ("BASE = ['aws', 's3']\nsubprocess.run([*BASE, 'rb', 's3://x'])", [BUCKET]),
    ("BASE = ['aws', 's3']\nsubprocess.run(BASE + ['rm', 's3://x', '--recursive'])", [MANY]),
    ("subprocess.run(args=['aws', 's3', 'rb', 's3://x'])", [BUCKET]),
    ("subprocess.run(shlex.split('aws s3 rb s3://x'))", [BUCKET]),
    ("subprocess.run('aws s3 rm --recursive s3://x'.split())", [MANY]),
    ("subprocess.run(['bash', '-c', 'aws s3 rb s3://x'])", [BUCKET]),
    ("subprocess.run(' '.join(['aws', 's3', 'rb', url]), shell=True)", [BUCKET]),
    ("cmd = f'aws s3 rb s3://{name}'\nos.system(cmd)", [BUCKET]),
    ("os.system('aws s3 rb s3://%s' % name)", [BUCKET]),
    ("os.system('aws s3 rb s3://{}'.format(name))", [BUCKET]),
    ("os.execvp('aws', ['aws', 's3', 'rb', 's3://x'])", [BUCKET]),
    ("await asyncio.create_subprocess_exec('aws', 's3', 'rb', 's3://x')", [BUCKET]),
    ("subprocess.run(['s3cmd', 'rb', 's3://x'])", [BUCKET]),
    ("subprocess.run(['aws', '--region', 'eu-west-1', 's3api', 'delete-bucket', '--bucket', 'x'])", [BUCKET]),
    ("await self._call_s3('delete_bucket', Bucket='x')", [BUCKET]),
    # what only looks like one
    ("class Fake:\n    def delete_bucket(self): ...\nf = Fake()\nf.delete_bucket()", []),
    ("class Fake:\n    def delete_bucket(self): ...\nFake().delete_bucket()", []),
    ("class A:\n    def delete_objects(self): ...\n    def run(self):\n        self.delete_objects()", []),
    ("def delete_bucket(name): ...\ndelete_bucket('x')", []),
    ("d = boto3.client('clouddirectory')\nd.delete_object(DirectoryArn=a)", []),
    ("import boto3\nboto3.client('mediastore-data').delete_object(Path='x')", []),
    ("from google.cloud import storage\nbucket = storage.Client().bucket('x')\nbucket.delete()", []),
    ("User.objects.filter(name='x').delete()", []),
    ("Model.objects.all().delete()", []),
    ("s3.delete_bucket_policy(Bucket='x')\ns3.delete_object_tagging(Bucket='x', Key='k')", []),
    ("'''s3.delete_bucket(Bucket=x)'''", []),
    ("log.info('aws s3 rb s3://x')", []),
    ("getattr(s3, 'list_buckets')()", []),
    ("mock.delete_bucket = fake", []),
    ("s3.can_paginate('delete_bucket')", []),
    ("ACTIONS = ['s3:DeleteBucket', 's3:DeleteObject']", []),
    ("subprocess.run(['aws', 's3', 'ls', 's3://rb'])", []),
    ("subprocess.run(['mc'])", []),
    ("session.delete(bucket)", []),
    ("q = bucket\nq = q.filter(a=1)\nfor x in q.all():\n    x.delete()", []),
    ("bucket = all(x for x in y)\nfor z in filter(None, bucket):\n    z.delete()", []),
    ("a = b\nb = a\nbucket_a = a + b\nsubprocess.run(a, b)\ngetattr(a, b + a)", []),
    ("self.assertTrue(hasattr(s3, 'delete_bucket'))", []),
]

JAVASCRIPT = [
    ("const r = await s3.deleteBucket({Bucket: 'x'}).promise();", [BUCKET]),
    ("new AWS.S3().deleteBucket({Bucket: 'x'}, (err) => {});", [BUCKET]),
    ("const { DeleteBucketCommand: Gone } = require('@aws-sdk/client-s3');\nc.send(new Gone({}));", [BUCKET]),
    ("import * as S3 from '@aws-sdk/client-s3';\nc.send(new S3.DeleteBucketCommand({}));", [BUCKET]),
    ("const sdk = await import('@aws-sdk/client-s3');\nc.send(new sdk.DeleteObjectsCommand({}));", [MANY]),
    ("const Gone = sdk.DeleteBucketCommand;\nnew Gone({});", [BUCKET]),
    ("const A = DeleteBucketCommand;\nconst B = A;\nnew B({});", [BUCKET]),
    ("new (require('@aws-sdk/client-s3').DeleteBucketCommand)({});", [BUCKET]),
    ("new sdk['DeleteBucketCommand']({});", [BUCKET]),
    ("const op = 'deleteBucket';\ns3[op]({Bucket: 'x'});", [BUCKET]),
    ("s3['delete' + 'Bucket']({});", [BUCKET]),
    ("const what = 'Bucket';\ns3[`delete${what}`]({});", [BUCKET]),
    ("const { deleteBucket } = s3;\ndeleteBucket({});", [BUCKET]),
    ("const { deleteBucket: gone } = new AWS.S3();\ngone({});", [BUCKET]),
    ("const gone = promisify(s3.deleteBucket.bind(s3));", [BUCKET]),
    ("const ops = { rm: DeleteBucketCommand, ls: ListBucketsCommand };", [BUCKET]),
    ("run(DeleteObjectsCommand, input);", [MANY]),
    ("s3.makeRequest('deleteBucket', {});", [BUCKET]),
    ("(await client()).deleteObjects({});", [MANY]),
    ("s3?.deleteBucket?.({});", [BUCKET]),
    ("this.s3.deleteObject({Key: k});", [ONE]),
    ("for (const o of list.Contents) { await s3.deleteObject({Key: o.Key}).promise(); }", [MANY]),
    (
        "for await (const page of paginateListObjectsV2({client}, {})) {\n"
        "  for (const o of page.Contents ?? []) { await c.send(new DeleteObjectCommand({Key: o.Key})); }\n}",
        [MANY],
    ),
    ("await Promise.all(list.Contents.map((o) => s3.deleteObject({Key: o.Key}).promise()));", [MANY]),
    ("keys.forEach((k) => s3.deleteObject({Key: k}));", [ONE]),
    ("execSync(`aws s3 rb s3://${name} --force`);", [BUCKET]),
    ("const cmd = 'aws s3 rb s3://x';\nchild_process.exec(cmd);", [BUCKET]),
    ("spawn('aws', ['s3', 'rm', `s3://${b}`, '--recursive']);", [MANY]),
    ("await $`aws s3 rm ${url} --recursive`;", [MANY]),
    ("spawnSync('sh', ['-c', 'aws s3 rb s3://x']);", [BUCKET]),
    ("await execa('awslocal', ['s3', 'rb', 's3://x']);", [BUCKET]),
    ("export default () => <Button onClick={() => s3.deleteBucket({})}>x</Button>;", [BUCKET]),
    ("class S { async deleteBucket() { return this.client.deleteBucket({}); } }", [BUCKET]),
    # what only looks like one
    ("import { DeleteBucketCommand as Gone } from '@aws-sdk/client-s3';", []),
    ("export { DeleteBucketCommand } from '@aws-sdk/client-s3';", []),
    ("class DeleteObjectCommand {}\nbus.send(new DeleteObjectCommand());", []),
    ("class S { deleteBucket() {}\n run() { this.deleteBucket(); } }", []),
    ("class S { deleteBucket() {} }\nconst s = new S();\ns.deleteBucket();\nnew S().deleteBucket();", []),
    ("function deleteBucket() {}\ndeleteBucket();", []),
    ("import { deleteObject } from 'firebase/storage';\nawait deleteObject(ref);", []),
    ("const { deleteObjects } = require('./helpers');\ndeleteObjects();", []),
    ("const text = `s3.deleteBucket(${x})`;", []),
    ("const policy = { Action: ['s3:DeleteBucket'] };", []),
    ("if (e instanceof DeleteBucketCommand) {}", []),
    ("s3.deleteBucket = jest.fn();", []),
    ("const handlers = { deleteBucket: (x) => x };", []),
    ("/aws s3 rb/.exec('aws s3 rb s3://x');", []),
    ("console.log('aws s3 rb s3://x');", []),
    ("s3.deleteObjectTagging({});", []),
    ("// s3.deleteBucket({})\nconst a = 1; /* new DeleteBucketCommand() */", []),
    ("const html = <p>s3.deleteBucket()</p>;", []),
]

TYPESCRIPT = [
    (
        "const c = new S3Client({});\nawait c.send(new DeleteBucketCommand({ Bucket: b as string }));",
        [BUCKET],
    ),
    ("(s3 as any).deleteBucket({});", [BUCKET]),
    ("s3!.deleteBucket({});", [BUCKET]),
    ("(<any>s3).deleteObjects({});", [MANY]),
    ("const Gone: typeof DeleteBucketCommand = DeleteBucketCommand;\nnew Gone({});", [BUCKET]),
    (
        "@Injectable()\nexport class A { constructor(private s3: S3) {} go() { this.s3.deleteBucket({}); } }",
        [BUCKET],
    ),
    ("enum Op { A }\nconst x = <T,>(y: T): T => y;\ns3.deleteObjects({} satisfies Input);", [MANY]),
    ("import type { DeleteBucketCommand } from '@aws-sdk/client-s3';\nlet x: DeleteBucketCommand;", []),
    ("interface Store { deleteBucket(name: string): Promise<void>; deleteObjects: () => void }", []),
    ("type Del = Pick<S3, 'deleteBucket'>;", []),
    ("abstract class A { abstract deleteBucket(): void; }", []),
]

SHELL = [
    ("CMD='aws s3 rb'\n$CMD s3://x", [BUCKET]),
    ('AWS="aws --profile p"\n$AWS s3 rb s3://x', [BUCKET]),
    ('AWS=aws\n"$AWS" s3 rb "s3://$1"', [BUCKET]),
    ("AWS=${AWS:-aws}\n${AWS} s3 rb s3://x", [BUCKET]),
    ('ARGS=(s3 rb)\naws "${ARGS[@]}" s3://x', [BUCKET]),
    ('CMD=(aws s3)\nCMD+=(rb s3://x)\n"${CMD[@]}"', [BUCKET]),
    ("OPTS=--recursive\naws s3 rm $OPTS s3://x", [MANY]),
    ("if [ $a ]; then OPTS=--recursive; else OPTS=; fi\naws s3 rm $OPTS s3://x", [ONE, MANY]),
    ("for op in ls rb; do aws s3 $op s3://x; done", [BUCKET]),
    ("export OP=rb\naws s3 $OP s3://x", [BUCKET]),
    ("alias gone='aws s3 rb'\ngone s3://x", [BUCKET]),
    ("cat keys | xargs aws s3 rm", [MANY]),
    ("cat keys | xargs -I{} aws s3 rm s3://b/{}", [MANY]),
    ("cat keys | xargs -P4 -I{} sh -c 'aws s3 rb s3://{}'", [BUCKET]),
    ("cat b | parallel aws s3 rb s3://{}", [BUCKET]),
    ('aws s3 ls s3://b | while read -r k; do aws s3 rm "s3://b/$k"; done', [MANY]),
    ("for k in $(aws s3 ls s3://b); do aws s3 rm $k; done", [MANY]),
    ("while read b; do\n  aws s3 rb $b\ndone < buckets", [BUCKET]),
    ('wipe() {\n  aws s3 rb "s3://$1" --force\n}\nwipe x', [BUCKET]),
    ("run aws s3 rb s3://x", [BUCKET]),
    ("timeout 60 aws s3 rb s3://x || true", [BUCKET]),
    ('[ -n "$x" ] && aws s3 rb s3://x', [BUCKET]),
    ("aws s3 rb s3://x > /dev/null 2>&1 &", [BUCKET]),
    ("(cd /; aws s3 rb s3://x)", [BUCKET]),
    ("case $1 in\n  gone) aws s3 rb s3://x ;;\nesac", [BUCKET]),
    ("bash <<'EOF'\naws s3 rb s3://x\nEOF", [BUCKET]),
    ("cat <<EOF | bash\naws s3 rb s3://x\nEOF", [BUCKET]),
    ("ssh host bash -s <<EOF\naws s3 rb s3://x\nEOF", [BUCKET]),
    ("cat <<EOF\n$(aws s3 rb s3://x)\nEOF", [BUCKET]),
    ("bash <<< 'aws s3 rb s3://x'", [BUCKET]),
    ("echo 'aws s3 rb s3://x' | sh", [BUCKET]),
    ('eval "aws s3 rb s3://$b"', [BUCKET]),
    ("eval \"$CMD\"; CMD='aws s3 rb s3://x'; eval $CMD", [BUCKET]),
    ("ssh host 'aws s3 rb s3://x'", [BUCKET]),
    ("trap 'aws s3 rb s3://x' EXIT", [BUCKET]),
    ("docker run --rm amazon/aws-cli:2 s3 rb s3://x", [BUCKET]),
    ("docker exec localstack awslocal s3 rb s3://x", [BUCKET]),
    ("/usr/local/bin/aws s3 rb s3://x", [BUCKET]),
    ('\'aws\' "s3" r"b" s3://x', [BUCKET]),
    ("\\aws s3 rb s3://x", [BUCKET]),
    ("aws \\\n  s3 \\\n  rm s3://x \\\n  --recursive", [MANY]),
    ("aws s3 sync . s3://x --exclude 'a' --delete", [MANY]),
    ("aws s3api delete-object --bucket b --key k", [ONE]),
    ("s3cmd rb s3://x", [BUCKET]),
    ("s3cmd del --recursive s3://x", [MANY]),
    ("s3cmd del -rf s3://x", [MANY]),
    ("s3cmd del s3://x/y", [ONE]),
    ("s3cmd sync --delete-removed . s3://x", [MANY]),
    ("s5cmd rm 's3://x/*'", [MANY]),
    ("mc rb --force minio/x", [BUCKET]),
    ("mc rm -r --force minio/x", [MANY]),
    ("x=`aws s3 rb s3://x`", [BUCKET]),
    ("diff <(aws s3 rb s3://x) a", [BUCKET]),
    # what only looks like one
    ('echo "aws s3 rb s3://x"', []),
    ("printf '%s\\n' 'aws s3 rb s3://x'", []),
    ("cat > run.sh <<'EOF'\naws s3 rb s3://x\nEOF", []),
    ("cat <<'EOF'\n$(aws s3 rb s3://x)\nEOF", []),
    ("# aws s3 rb s3://x", []),
    ("grep 'aws s3 rb' *.sh", []),
    ("aws s3 ls s3://rb --recursive", []),
    ("aws s3 sync a s3://x", []),
    ("aws s3 cp s3://a s3://b --recursive", []),
    ("aws s3 rm s3://x --recursive --dryrun", []),
    ("aws s3 rb help", []),
    ("aws s3 mb s3://x", []),
    ("aws ec2 describe-instances", []),
    ("MESSAGE='never run aws s3 rb'\necho $MESSAGE", []),
    ("rm -r s3", []),
    ("mc ls minio", []),
    ("s3cmd ls s3://rb", []),
    ("aws s3api delete-bucket-policy --bucket x", []),
    ("aws s3 mv s3://a/x s3://b/x", []),
]

EMBEDDED = [
    ("Dockerfile", "FROM a\nRUN apt install x && \\\n    aws s3 rb s3://x\n", [BUCKET]),
    ("Dockerfile.prod", 'FROM a\nCMD ["aws", "s3", "rb", "s3://x"]\n', [BUCKET]),
    ("Dockerfile", "FROM a\nRUN <<EOF\naws s3 rb s3://x\nEOF\n", [BUCKET]),
    ("Dockerfile", "FROM a\n# RUN aws s3 rb s3://x\nCOPY aws s3\n", []),
    ("Makefile", "B = s3://x\ngone:\n\t@aws s3 rb $(B)\n", [BUCKET]),
    ("Makefile", "AWS := aws --profile p\ngone:\n\t-$(AWS) s3 rm --recursive s3://x\n", [MANY]),
    ("Makefile", "gone:\n\tfor k in `aws s3 ls`; do \\\n\t  aws s3 rm $$k; done\n", [MANY]),
    ("Makefile", "# aws s3 rb\nlist:\n\t@echo aws s3 rb s3://x\n", []),
    (".github/workflows/a.yml", "jobs:\n  a:\n    steps:\n      - run: aws s3 rb s3://x\n", [BUCKET]),
    (
        ".github/workflows/a.yml",
        "jobs:\n  a:\n    steps:\n      - name: aws s3 rb s3://y\n"
        "        run: |\n          ls\n          aws s3 sync . s3://x --delete\n",
        [MANY],
    ),
    (".gitlab-ci.yml", "gone:\n  script:\n    - aws s3 rb s3://x\n", [BUCKET]),
    ("buildspec.yml", "phases:\n  build:\n    commands:\n      - aws s3 rm --recursive s3://x\n", [MANY]),
    ("package.json", '{"scripts": {"gone": "aws s3 rm s3://x --recursive"}}', [MANY]),
    ("package.json", '{"description": "aws s3 rb s3://x", "scripts": {"a": "echo aws s3 rb"}}', []),
    ("values.yaml", "run: aws s3 rb s3://x\n", []),
]


@pytest.mark.parametrize(("code", "expected"), PYTHON)
def test_python(code: str, expected: list[str]) -> None:
    if "await " in code or "async " in code:
        code = "async def f():\n" + "\n".join(f"    {line}" for line in code.split("\n"))
    assert found(code, "a.py") == expected


@pytest.mark.parametrize(("code", "expected"), JAVASCRIPT)
def test_javascript(code: str, expected: list[str]) -> None:
    assert found(code, "a.jsx") == expected
    if "<" not in code or "=>" not in code:
        assert found(code, "a.tsx") == expected


@pytest.mark.parametrize(("code", "expected"), TYPESCRIPT)
def test_typescript(code: str, expected: list[str]) -> None:
    assert found(code, "a.ts") == expected


@pytest.mark.parametrize(("code", "expected"), SHELL)
def test_shell(code: str, expected: list[str]) -> None:
    assert found(code, "a.sh") == expected


@pytest.mark.parametrize(("file", "code", "expected"), EMBEDDED)
def test_shell_inside_other_files(file: str, code: str, expected: list[str]) -> None:
    assert found(code, file) == expected


def test_a_finding_lies_on_the_line_of_its_call() -> None:
    assert lines("const a = 1;\ns3\n  .deleteBucket({\n    Bucket: 'x',\n  });", "a.ts") == [3]
    assert lines("true\n\naws s3 \\\n rb s3://x", "a.sh") == [3]
    assert lines("true\nbash <<EOF\ntrue\naws s3 rb s3://x\nEOF", "a.sh") == [4]
    workflow = "jobs:\n  a:\n    steps:\n      - run: |\n          ls\n          aws s3 rb s3://x\n"
    assert lines(workflow, ".github/workflows/a.yml") == [6]
    assert lines("FROM a\n\nRUN ls && \\\n  aws s3 rb s3://x", "Dockerfile") == [3]


def test_columns_count_characters_and_not_bytes() -> None:
    written = written_in(Path("a.js"))
    assert written is not None
    report = scan_text(
        "const é = 'ü'; s3.deleteBucket({});", written, "a.js", Scan(GateKind.PRODUCTION)
    ).report
    assert [finding.column for finding in report.findings] == [19]


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("a.js", "s3.deleteBucket({}); // safety-exception delete-bucket: it is a test's own"),
        (
            "a.ts",
            "// safety-exception delete-bucket: it is a test's own\ns3.deleteBucket({\n  Bucket: 'x',\n});",
        ),
        ("a.sh", "aws s3 rb s3://x # safety-exception delete-bucket: it is a test's own"),
        ("Makefile", "a:\n# safety-exception delete-bucket: it is a test's own\n\taws s3 rb s3://x\n"),
        (".gitlab-ci.yml", "a:\n  script:\n    - aws s3 rb s3://x # safety-exception delete-bucket: own\n"),
        ("main.tf", '# safety-exception missing-prevent-destroy: scratch\nresource "aws_s3_bucket" "x" {}\n'),
        (
            "s.yaml",
            "Resources:\n  A:\n    # safety-exception bucket-not-retained: own\n    Type: AWS::S3::Bucket\n",
        ),
    ],
)
def test_an_exemption_in_a_comment_of_each_language_counts(file: str, code: str) -> None:
    written = written_in(Path(file))
    assert written is not None
    report = scan_text(code, written, file, Scan(GateKind.PRODUCTION)).report
    assert [finding.verdict.value for finding in report.findings] == ["exempt"]
