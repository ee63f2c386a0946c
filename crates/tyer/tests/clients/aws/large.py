"""256 MiB to S3 and back: `large.py parts` in parts of 8 MiB as transfers do it, `large.py whole` as one body."""

import hashlib
import sys
import tempfile

from boto3.s3.transfer import TransferConfig
from said import REGION, client

SIZE = 256 << 20
PIECE = 1 << 20


class Digest:
    """A file of which only the digest is kept."""

    def __init__(self):
        self.hash, self.length = hashlib.sha256(), 0

    def write(self, piece):
        self.hash.update(piece)
        self.length += len(piece)
        return len(piece)


def filled(file):
    """Puts the bytes in, and returns their digest."""
    whole = hashlib.sha256()
    for number in range(SIZE // PIECE):
        piece = hashlib.sha256(number.to_bytes(4, "big")).digest() * (PIECE // 32)
        file.write(piece)
        whole.update(piece)
    file.seek(0)
    return whole.hexdigest()


def main():
    store = client("s3")
    store.create_bucket(Bucket="large", CreateBucketConfiguration={"LocationConstraint": REGION})
    with tempfile.TemporaryFile() as file:
        expected = filled(file)
        if sys.argv[1] == "parts":
            settings = TransferConfig(multipart_chunksize=8 << 20, max_concurrency=4)
            store.upload_fileobj(file, "large", "it", Config=settings)
        else:
            store.put_object(Bucket="large", Key="it", Body=file)
    came = Digest()
    for piece in store.get_object(Bucket="large", Key="it")["Body"].iter_chunks(PIECE):
        came.write(piece)
    parts = store.head_object(Bucket="large", Key="it")["ETag"].strip('"').partition("-")[2]
    print(came.length == SIZE, came.hash.hexdigest() == expected, parts)


main()
