/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SHA-256: the examples of FIPS 180-4's test vectors, every length and division, and the
 * processor's kernel against the one in plain C.
 */
#include "unit.h"

#include "base/hex.h"
#include "codec/sha256.h"

static void assert_hash(const char *text, size_t times, const char *expected)
{
	struct sha256 sha;
	uint8_t hash[SHA256_BYTES];
	char hex[SHA256_TEXT_BYTES];

	sha256_begin(&sha);
	for (size_t i = 0; i < times; i++)
		sha256_add(&sha, text, strlen(text));
	sha256_end(&sha, hash);
	hex_text(hash, sizeof hash, hex);
	assert_string_equal(hex, expected);
}

static void known(void **state)
{
	(void)state;
	assert_hash("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_hash("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
		    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	assert_hash("a", 1000000,
		    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void hash_of(const uint8_t *bytes, size_t n, size_t step, uint8_t ret[static SHA256_BYTES])
{
	struct sha256 sha;

	sha256_begin(&sha);
	for (size_t done = 0; done < n; done += step)
		sha256_add(&sha, bytes + done, n - done < step ? n - done : step);
	sha256_end(&sha, ret);
}

static void every_division(void **state)
{
	uint8_t bytes[300], whole[SHA256_BYTES], divided[SHA256_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7 + 1);
	for (size_t n = 0; n <= sizeof bytes; n++) {
		hash_of(bytes, n, n + 1, whole);
		for (size_t step = 1; step <= 130; step += 43) {
			hash_of(bytes, n, step, divided);
			assert_memory_equal(whole, divided, SHA256_BYTES);
		}
	}
}

static void zeros(void **state)
{
	static const uint8_t bytes[10000];
	uint8_t a[SHA256_BYTES], b[SHA256_BYTES];
	struct sha256 sha;

	(void)state;
	hash_of(bytes, sizeof bytes, sizeof bytes, a);
	sha256_begin(&sha);
	sha256_add_zeros(&sha, sizeof bytes);
	sha256_end(&sha, b);
	assert_memory_equal(a, b, SHA256_BYTES);
}

static void kernels_agree(void **state)
{
	sha256_blocks *fast = arch_sha256_blocks();
	uint8_t bytes[10 * SHA256_BLOCK_BYTES + 3];
	uint32_t a[8] = { 1, 2, 3, 4, 5, 6, 7, 0x80000000 }, b[8];

	(void)state;
	if (fast == sha256_blocks_generic)
		skip(); /* this processor has no other */
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * i + i / 3);
	memcpy(b, a, sizeof a);
	for (size_t n = 0; n <= 10; n++) {
		sha256_blocks_generic(a, bytes + n % 4, n);
		fast(b, bytes + n % 4, n);
		assert_memory_equal(a, b, sizeof a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known),
		cmocka_unit_test(every_division),
		cmocka_unit_test(zeros),
		cmocka_unit_test(kernels_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
