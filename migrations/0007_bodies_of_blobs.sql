-- Which body lies in a blob: files that no body names are left over.
CREATE INDEX bodies_of_blobs ON bodies (place ->> '$.blob.id') WHERE place ->> '$.blob.id' IS NOT NULL;
