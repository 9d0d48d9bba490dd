<?php
/**
 * Plugin Name: Caseline
 * Description: Lets Caseline keep its cases as tasks of WP-CRM System. Answers nobody who is not logged in and allowed to.
 * Version: 1.0.0
 * Requires at least: 5.6
 * Requires PHP: 7.4
 * License: Apache-2.0
 *
 * Goes into wp-content/mu-plugins. WP-CRM System keeps contacts, organizations, opportunities and tasks as posts and has no REST API of its own; making
 * its post types visible in /wp/v2 would show them to the world. This is a namespace of its own, caseline/v1, every route of which needs the capability
 * `caseline_bridge`, which the role `caseline` has. Cases are private posts.
 */

defined( 'ABSPATH' ) || exit;

const CASELINE_SPACE  = 'caseline/v1';
const CASELINE_RIGHT  = 'caseline_bridge';
const CASELINE_LIMIT  = 200;
const CASELINE_TYPES  = array( 'cases' => 'wpcrm-task', 'people' => 'wpcrm-contact', 'accounts' => 'wpcrm-organization' );
const CASELINE_ENTITY = array( 'cases' => 'case', 'people' => 'contact', 'accounts' => 'account' );
const CASELINE_TASK   = array( 'status' => '_wpcrm_task-status', 'priority' => '_wpcrm_task-priority', 'owner' => '_wpcrm_task-assignment' );
const CASELINE_CASE   = array( 'version', 'score', 'band', 'headline', 'reasons', 'category', 'queue', 'link' );
const CASELINE_MOOD   = array( 'sentiment', 'sentiment_trend', 'last_nps', 'last_csat', 'last_ces', 'unanswered', 'channels', 'last_contact', 'health' );
const CASELINE_STATES = array( 'not-started', 'in-progress', 'on-hold', 'complete' );

/* ---- who may ------------------------------------------------------------------------------------------------------------------- */

/** Answers nothing to anonymous callers, whom a wrong application password also makes one. */
function caseline_allowed() {
	if ( ! is_user_logged_in() ) {
		return new WP_Error( 'rest_forbidden', 'Log in with an application password.', array( 'status' => 401 ) );
	}
	if ( ! current_user_can( CASELINE_RIGHT ) ) {
		return new WP_Error( 'rest_forbidden', 'This user lacks the capability ' . CASELINE_RIGHT . '.', array( 'status' => 403 ) );
	}
	return true;
}

/** Must-use plugins are never activated: role and table are made once. */
function caseline_install() {
	if ( wp_installing() || '1' === get_option( 'caseline_installed' ) ) {
		return;
	}
	global $wpdb;
	add_role( 'caseline', 'Caseline', array( 'read' => true, CASELINE_RIGHT => true ) );
	require_once ABSPATH . 'wp-admin/includes/upgrade.php';
	dbDelta(
		'CREATE TABLE ' . caseline_log() . " (
		kind varchar(16) NOT NULL,
		record_id bigint(20) unsigned NOT NULL,
		at varchar(27) NOT NULL,
		by_user varchar(60) NOT NULL DEFAULT '',
		entity varchar(16) NOT NULL DEFAULT '',
		PRIMARY KEY  (kind, record_id),
		KEY at (kind, at, record_id)
		) " . $wpdb->get_charset_collate()
	);
	update_option( 'caseline_installed', '1' );
}
add_action( 'init', 'caseline_install', 20 );

function caseline_log() {
	global $wpdb;
	return $wpdb->prefix . 'caseline_changes';
}

/** People comment on cases in their editor. */
add_action(
	'init',
	function () {
		add_post_type_support( 'wpcrm-task', 'comments' );
	},
	20
);

/* ---- routes -------------------------------------------------------------------------------------------------------------------- */

add_action(
	'rest_api_init',
	function () {
		$routes = array(
			array( 'GET', '/status', 'caseline_status' ),
			array( 'GET', '/people', 'caseline_find_people' ),
			array( 'POST', '/people', 'caseline_make_person' ),
			array( 'POST', '/people/(?P<id>\d+)', 'caseline_note_mood' ),
			array( 'POST', '/accounts/(?P<id>\d+)', 'caseline_note_mood' ),
			array( 'GET', '/cases', 'caseline_list_cases' ),
			array( 'POST', '/cases', 'caseline_make_case' ),
			array( 'GET', '/cases/(?P<id>\d+)', 'caseline_read_case' ),
			array( 'POST', '/cases/(?P<id>\d+)', 'caseline_change_case' ),
			array( 'POST', '/cases/(?P<id>\d+)/erase', 'caseline_erase_case' ),
			array( 'GET', '/changes/(?P<kind>cases|people|accounts|comments|deleted)', 'caseline_changes' ),
		);
		foreach ( $routes as list( $method, $path, $callback ) ) {
			register_rest_route( CASELINE_SPACE, $path, array( 'methods' => $method, 'callback' => $callback, 'permission_callback' => 'caseline_allowed' ) );
		}
	}
);

function caseline_status() {
	return array( 'user' => wp_get_current_user()->user_login, 'crm' => post_type_exists( 'wpcrm-task' ) );
}

/* ---- people and accounts ------------------------------------------------------------------------------------------------------- */

/** Contacts that may have one of the addresses, numbers (by their last digits), handles, or the key: the caller compares. */
function caseline_find_people( WP_REST_Request $request ) {
	$terms = array( 'relation' => 'OR' );
	foreach ( caseline_texts( $request['email'] ) as $email ) {
		$terms[] = array( 'key' => '_wpcrm_contact-email', 'value' => $email );
	}
	foreach ( caseline_texts( $request['phone'] ) as $phone ) {
		$digits = preg_replace( '/\D/', '', $phone );
		if ( strlen( $digits ) < 6 ) {
			continue;
		}
		$ending = implode( '[^0-9]*', str_split( substr( $digits, -6 ) ) );
		foreach ( array( '_wpcrm_contact-phone', '_wpcrm_contact-mobile-phone' ) as $key ) {
			$terms[] = array( 'key' => $key, 'value' => $ending . '$', 'compare' => 'REGEXP' );
		}
	}
	foreach ( caseline_texts( $request['handle'] ) as $handle ) {
		$terms[] = array( 'key' => '_cx_handles', 'value' => $handle, 'compare' => 'LIKE' );
	}
	foreach ( caseline_texts( $request['key'] ) as $key ) {
		$terms[] = array( 'key' => '_cx_customer_key', 'value' => $key );
	}
	$found = count( $terms ) > 1 ? caseline_posts( 'people', array( 'meta_query' => $terms ) ) : array();
	return array( 'people' => array_map( 'caseline_person', $found ) );
}

/** Once for each customer key. */
function caseline_make_person( WP_REST_Request $request ) {
	$key = sanitize_text_field( (string) $request['customer_key'] );
	return caseline_alone(
		'person' . $key,
		function () use ( $request, $key ) {
			$known = '' === $key ? array() : caseline_posts( 'people', array( 'meta_key' => '_cx_customer_key', 'meta_value' => $key ) );
			if ( $known ) {
				return caseline_person( $known[0] );
			}
			$meta = array(
				'_wpcrm_contact-first-name' => $request['first_name'],
				'_wpcrm_contact-last-name'  => $request['last_name'],
				'_wpcrm_contact-email'      => $request['email'],
				'_wpcrm_contact-phone'      => $request['phone'],
				'_cx_handles'               => implode( ';', caseline_texts( $request['handles'] ) ),
				'_cx_customer_key'          => $key,
				'_cx_origin'                => $request['origin'],
			);
			return caseline_insert( 'people', (string) $request['name'], '', $meta, 'caseline_person' );
		}
	);
}

/** How a customer feels, on a contact or an organization. */
function caseline_note_mood( WP_REST_Request $request ) {
	$kind = strpos( $request->get_route(), '/accounts/' ) === false ? 'people' : 'accounts';
	$post = caseline_post( $kind, (int) $request['id'] );
	if ( is_wp_error( $post ) ) {
		return $post;
	}
	caseline_set( $post->ID, '_cx_', array_intersect_key( (array) $request->get_json_params(), array_flip( CASELINE_MOOD ) ) );
	caseline_mark( $kind, $post->ID );
	return array( 'id' => $post->ID );
}

function caseline_person( WP_Post $post ) {
	$organization = (int) get_post_meta( $post->ID, '_wpcrm_contact-attach-to-organization', true );
	$account      = $organization ? get_post( $organization ) : null;
	return array(
		'id'           => $post->ID,
		'name'         => html_entity_decode( $post->post_title, ENT_QUOTES, 'UTF-8' ),
		'emails'       => array_filter( array( caseline_meta( $post, '_wpcrm_contact-email' ) ) ),
		'phones'       => array_values( array_filter( array( caseline_meta( $post, '_wpcrm_contact-phone' ), caseline_meta( $post, '_wpcrm_contact-mobile-phone' ) ) ) ),
		'handles'      => caseline_meta( $post, '_cx_handles' ),
		'customer_key' => caseline_meta( $post, '_cx_customer_key' ),
		'account'      => $account && caseline_is_there( $account, 'accounts' ) ? caseline_account( $account ) : null,
	);
}

function caseline_account( WP_Post $post ) {
	$facts = array();
	foreach ( array( 'tier', 'product_tier', 'lifecycle', 'renewal_date', 'contract_status' ) as $name ) {
		$facts[ $name ] = caseline_meta( $post, '_cx_' . $name );
	}
	return array(
		'id'         => $post->ID,
		'name'       => html_entity_decode( $post->post_title, ENT_QUOTES, 'UTF-8' ),
		'url'        => caseline_edit_url( $post->ID ),
		'deal_value' => caseline_won( $post->ID ),
		'open_cases' => caseline_open_cases( $post->ID ),
	) + $facts;
}

/** What won opportunities add up to; null where there is none. */
function caseline_won( $organization ) {
	$query = new WP_Query(
		array(
			'post_type'      => 'wpcrm-opportunity',
			'post_status'    => array( 'publish', 'private' ),
			'posts_per_page' => -1,
			'no_found_rows'  => true,
			'meta_query'     => array(
				array( 'key' => '_wpcrm_opportunity-attach-to-organization', 'value' => $organization ),
				array( 'key' => '_wpcrm_opportunity-wonlost', 'value' => 'won' ),
			),
		)
	);
	$values = array_map(
		function ( $post ) {
			return (float) caseline_meta( $post, '_wpcrm_opportunity-value' );
		},
		$query->posts
	);
	return $values ? array_sum( $values ) : null;
}

function caseline_open_cases( $organization ) {
	$mine = array( 'key' => '_wpcrm_task-attach-to-organization', 'value' => $organization );
	$ours = array( 'key' => '_cx_case_key', 'compare' => 'EXISTS' );
	$open = array( 'key' => '_wpcrm_task-status', 'value' => 'complete', 'compare' => '!=' );
	return count( caseline_posts( 'cases', array( 'meta_query' => array( $mine, $ours, $open ), 'posts_per_page' => -1 ) ) );
}

/* ---- cases --------------------------------------------------------------------------------------------------------------------- */

/** By `key`, or all of ours in pages behind `after`. */
function caseline_list_cases( WP_REST_Request $request ) {
	if ( '' !== (string) $request['key'] ) {
		return array( 'cases' => array_map( 'caseline_case', caseline_keyed( (string) $request['key'] ) ) );
	}
	$behind = function ( $where ) use ( $request ) {
		global $wpdb;
		return $where . $wpdb->prepare( " AND {$wpdb->posts}.ID > %d", (int) $request['after'] );
	};
	add_filter( 'posts_where', $behind );
	$ours = array( 'meta_query' => array( array( 'key' => '_cx_case_key', 'compare' => 'EXISTS' ) ), 'posts_per_page' => CASELINE_LIMIT );
	$found = caseline_posts( 'cases', $ours );
	remove_filter( 'posts_where', $behind );
	return array( 'cases' => array_map( 'caseline_case', $found ) );
}

/** One for each key: whoever comes second is told so. */
function caseline_make_case( WP_REST_Request $request ) {
	$key = (string) $request['case_key'];
	if ( '' === $key ) {
		return new WP_Error( 'rest_missing_callback_param', 'Missing parameter(s): case_key', array( 'status' => 400, 'params' => array( 'case_key' ) ) );
	}
	$wrong = caseline_wrong( $request );
	return $wrong ? $wrong : caseline_alone(
		$key,
		function () use ( $request, $key ) {
			if ( caseline_keyed( $key ) ) {
				return new WP_Error( 'caseline_duplicate', 'There is a case with this key.', array( 'status' => 409 ) );
			}
			$meta = array( '_cx_case_key' => $key, '_wpcrm_task-status' => 'not-started' );
			foreach ( array( 'contact_id' => '_wpcrm_task-attach-to-contact', 'account_id' => '_wpcrm_task-attach-to-organization' ) as $name => $field ) {
				$meta[ $field ] = (string) $request[ $name ];
			}
			return caseline_insert(
				'cases',
				(string) $request['subject'],
				(string) $request['description'],
				$meta,
				function ( WP_Post $post ) use ( $request ) {
					caseline_write_case( $post, $request );
					return new WP_REST_Response( caseline_case( $post ), 201 );
				}
			);
		}
	);
}

function caseline_read_case( WP_REST_Request $request ) {
	$post = caseline_post( 'cases', (int) $request['id'] );
	return is_wp_error( $post ) ? $post : caseline_case( $post );
}

/** An older version than what stands leaves our own fields as they are. */
function caseline_change_case( WP_REST_Request $request ) {
	$post  = caseline_post( 'cases', (int) $request['id'] );
	$wrong = is_wp_error( $post ) ? $post : caseline_wrong( $request );
	return $wrong ? $wrong : caseline_alone(
		caseline_meta( $post, '_cx_case_key' ),
		function () use ( $post, $request ) {
			caseline_write_case( $post, $request );
			return caseline_case( $post );
		}
	);
}

/** Our notes for ever; with a subject it stands instead of title and first text, earlier ones too. */
function caseline_erase_case( WP_REST_Request $request ) {
	$post = caseline_post( 'cases', (int) $request['id'] );
	return is_wp_error( $post ) ? $post : caseline_alone(
		caseline_meta( $post, '_cx_case_key' ),
		function () use ( $post, $request ) {
			caseline_erase_notes( $post );
			caseline_rename( $post, (string) $request['subject'] );
			return caseline_case( get_post( $post->ID ) );
		}
	);
}

function caseline_erase_notes( WP_Post $post ) {
	global $wpdb;
	foreach ( get_comments( array( 'post_id' => $post->ID, 'user_id' => get_current_user_id(), 'status' => 'all' ) ) as $comment ) {
		if ( false !== strpos( $comment->comment_content, '[cx:' ) ) {
			wp_delete_comment( $comment->comment_ID, true );
			$wpdb->delete( caseline_log(), array( 'kind' => 'comments', 'record_id' => (int) $comment->comment_ID ) );
		}
	}
}

function caseline_rename( WP_Post $post, $subject ) {
	if ( '' === $subject ) {
		return;
	}
	wp_update_post( wp_slash( array( 'ID' => $post->ID, 'post_title' => esc_html( $subject ), 'post_content' => esc_html( $subject ) ) ) );
	foreach ( wp_get_post_revisions( $post->ID, array( 'check_enabled' => false ) ) as $revision ) {
		wp_delete_post_revision( $revision );
	}
}

function caseline_write_case( WP_Post $post, WP_REST_Request $request ) {
	$given = (array) $request->get_json_params();
	$own   = array_intersect_key( (array) ( $given['caseline'] ?? array() ), array_flip( CASELINE_CASE ) );
	if ( (int) ( $own['version'] ?? 0 ) >= (int) caseline_meta( $post, '_cx_version' ) ) {
		caseline_set( $post->ID, '_cx_', $own );
	}
	foreach ( CASELINE_TASK as $name => $field ) {
		if ( isset( $given[ $name ] ) ) {
			update_post_meta( $post->ID, $field, wp_slash( (string) $given[ $name ] ) );
		}
	}
	foreach ( array( 'note' => 0, 'answer' => 1 ) as $name => $public ) {
		if ( isset( $given[ $name ] ) && '' !== $given[ $name ] ) {
			caseline_comment( $post, (string) $given[ $name ], $public );
		}
	}
	caseline_mark( 'cases', $post->ID );
}

function caseline_comment( WP_Post $post, $text, $public ) {
	$user = wp_get_current_user();
	wp_insert_comment(
		array(
			'comment_post_ID'  => $post->ID,
			'comment_content'  => wp_slash( esc_html( $text ) ),
			'comment_author'   => $user->user_login,
			'user_id'          => $user->ID,
			'comment_approved' => 1,
			'comment_meta'     => array( '_cx_public' => $public ),
		)
	);
}

/** What is wrong with a request that writes a case, null where nothing is. */
function caseline_wrong( WP_REST_Request $request ) {
	$choices = array( 'status' => CASELINE_STATES, 'priority' => array( '', 'low', 'medium', 'high' ) );
	foreach ( $choices as $name => $known ) {
		if ( null !== $request[ $name ] && ! in_array( (string) $request[ $name ], $known, true ) ) {
			return new WP_Error( 'rest_invalid_param', "Invalid parameter(s): $name", array( 'status' => 400, 'params' => array( $name => 'unknown' ) ) );
		}
	}
	foreach ( array( 'contact_id' => 'people', 'account_id' => 'accounts' ) as $name => $kind ) {
		$id = (string) $request[ $name ];
		if ( '' !== $id && ( ! ctype_digit( $id ) || is_wp_error( caseline_post( $kind, (int) $id ) ) ) ) {
			return new WP_Error( 'caseline_stranger', "There is no such record: $name", array( 'status' => 400, 'params' => array( $name => 'unknown' ) ) );
		}
	}
	return null;
}

function caseline_keyed( $key ) {
	return caseline_posts( 'cases', array( 'meta_key' => '_cx_case_key', 'meta_value' => $key ) );
}

function caseline_case( WP_Post $post ) {
	$own = array();
	foreach ( array( 'version', 'band', 'queue' ) as $name ) {
		$own[ $name ] = caseline_meta( $post, '_cx_' . $name );
	}
	$shared = array();
	foreach ( CASELINE_TASK as $name => $field ) {
		$shared[ $name ] = caseline_meta( $post, $field );
	}
	$comments = get_comments( array( 'post_id' => $post->ID, 'order' => 'ASC', 'status' => 'all' ) );
	return array(
		'id'       => $post->ID,
		'case_key' => caseline_meta( $post, '_cx_case_key' ),
		'url'      => caseline_edit_url( $post->ID ),
		'outcome'  => caseline_meta( $post, '_cx_outcome' ),
		'notes'    => wp_list_pluck( $comments, 'comment_content' ),
		'caseline' => $own,
	) + $shared;
}

/* ---- in the editor ------------------------------------------------------------------------------------------------------------- */

/** What Caseline says of a case, and the one thing that it wants to know of whoever closes it. */
function caseline_box( WP_Post $post ) {
	foreach ( array( 'band', 'score', 'headline', 'reasons', 'category', 'queue' ) as $name ) {
		printf( '<p><strong>%s</strong><br>%s</p>', esc_html( ucfirst( $name ) ), nl2br( esc_html( caseline_meta( $post, '_cx_' . $name ) ) ) );
	}
	printf( '<p><a href="%s">History</a></p>', esc_url( caseline_meta( $post, '_cx_link' ) ) );
	wp_nonce_field( 'caseline_outcome', 'caseline_nonce' );
	echo '<select name="caseline_outcome">';
	foreach ( array( '' => 'Outcome', 'valid' => 'Valid', 'not_an_issue' => 'Not an issue' ) as $value => $label ) {
		printf( '<option value="%s"%s>%s</option>', esc_attr( $value ), selected( caseline_meta( $post, '_cx_outcome' ), $value, false ), esc_html( $label ) );
	}
	echo '</select>';
}

add_action(
	'add_meta_boxes_wpcrm-task',
	function ( WP_Post $post ) {
		if ( '' !== caseline_meta( $post, '_cx_case_key' ) ) {
			add_meta_box( 'caseline', 'Caseline', 'caseline_box', 'wpcrm-task', 'side', 'high' );
		}
	}
);
add_action(
	'save_post_wpcrm-task',
	function ( $id ) {
		$nonce   = isset( $_POST['caseline_nonce'] ) ? sanitize_key( $_POST['caseline_nonce'] ) : '';
		$outcome = isset( $_POST['caseline_outcome'] ) ? sanitize_key( $_POST['caseline_outcome'] ) : '';
		if ( wp_verify_nonce( $nonce, 'caseline_outcome' ) && current_user_can( 'edit_post', $id ) && in_array( $outcome, array( '', 'valid', 'not_an_issue' ), true ) ) {
			update_post_meta( $id, '_cx_outcome', $outcome );
		}
	}
);

/* ---- what changed -------------------------------------------------------------------------------------------------------------- */

/** Records in the order of their last change, behind a time and an id. */
function caseline_changes( WP_REST_Request $request ) {
	global $wpdb;
	$kind  = (string) $request['kind'];
	$after = (string) $request['after'];
	$limit = min( CASELINE_LIMIT, max( 1, (int) ( $request['limit'] ? $request['limit'] : CASELINE_LIMIT ) ) );
	$query = 'SELECT * FROM ' . caseline_log() . ' WHERE kind = %s AND (at > %s OR (at = %s AND record_id > %d)) ORDER BY at, record_id LIMIT %d';
	$rows  = $wpdb->get_results( $wpdb->prepare( $query, $kind, $after, $after, (int) $request['after_id'], $limit ) );
	return array( 'rows' => array_map( 'caseline_row', $rows ) );
}

/** A change as polls and webhooks tell it: the record with who changed it last, and when. */
function caseline_row( $entry ) {
	$stamp = array( 'id' => (int) $entry->record_id, 'at' => $entry->at, 'by' => $entry->by_user );
	if ( 'deleted' === $entry->kind ) {
		return array( 'entity' => $entry->entity ) + $stamp;
	}
	if ( 'comments' === $entry->kind ) {
		$comment = get_comment( (int) $entry->record_id );
		$post    = $comment ? get_post( (int) $comment->comment_post_ID ) : null;
		return $post ? $stamp + array(
			'case_id'  => $post->ID,
			'case_key' => caseline_meta( $post, '_cx_case_key' ),
			'text'     => html_entity_decode( wp_strip_all_tags( $comment->comment_content ), ENT_QUOTES, 'UTF-8' ),
			'public'   => (bool) get_comment_meta( $comment->comment_ID, '_cx_public', true ),
		) : $stamp;
	}
	$post = get_post( (int) $entry->record_id );
	$show = array( 'cases' => 'caseline_case', 'people' => 'caseline_person', 'accounts' => 'caseline_account' );
	return $post && caseline_is_there( $post, $entry->kind ) ? $stamp + $show[ $entry->kind ]( $post ) : $stamp;
}

/** Notes that a record changed, and who did it. */
function caseline_mark( $kind, $record, $entity = '' ) {
	global $wpdb;
	$moment = DateTimeImmutable::createFromFormat( 'U.u', sprintf( '%.6F', microtime( true ) ) );
	$entry  = array(
		'kind'      => $kind,
		'record_id' => (int) $record,
		'at'        => $moment->format( 'Y-m-d\TH:i:s.u\Z' ),
		'by_user'   => (string) wp_get_current_user()->user_login,
		'entity'    => $entity,
	);
	$wpdb->replace( caseline_log(), $entry );
	if ( ! current_user_can( CASELINE_RIGHT ) || current_user_can( 'manage_options' ) ) {
		caseline_pending( (object) $entry );
	}
}

function caseline_kind( WP_Post $post ) {
	return (string) array_search( $post->post_type, CASELINE_TYPES, true );
}

add_action(
	'wp_after_insert_post',
	function ( $id, $post ) {
		$kind = caseline_kind( $post );
		if ( '' !== $kind && caseline_is_there( $post, $kind ) ) {
			caseline_mark( $kind, $id );
		}
	},
	10,
	2
);
/** WP-CRM System writes its fields after the post itself. */
function caseline_meta_changed( $meta_id, $id, $key ) {
	$post = get_post( $id );
	$kind = $post && ( strpos( $key, '_wpcrm_' ) === 0 || strpos( $key, '_cx_' ) === 0 ) ? caseline_kind( $post ) : '';
	if ( '' !== $kind && ! defined( 'REST_REQUEST' ) && caseline_is_there( $post, $kind ) ) {
		caseline_mark( $kind, $id );
	}
}
add_action( 'updated_post_meta', 'caseline_meta_changed', 10, 3 );
add_action( 'added_post_meta', 'caseline_meta_changed', 10, 3 );

function caseline_gone( $id ) {
	$post = get_post( $id );
	$kind = $post ? caseline_kind( $post ) : '';
	if ( '' !== $kind ) {
		caseline_mark( 'deleted', $id, CASELINE_ENTITY[ $kind ] );
	}
}
add_action( 'wp_trash_post', 'caseline_gone' );
add_action( 'before_delete_post', 'caseline_gone' );
add_action(
	'wp_insert_comment',
	function ( $id, $comment ) {
		$post = get_post( (int) $comment->comment_post_ID );
		if ( $post && 'cases' === caseline_kind( $post ) && '' !== caseline_meta( $post, '_cx_case_key' ) ) {
			caseline_mark( 'comments', $id );
		}
	},
	10,
	2
);

/* ---- telling it at once -------------------------------------------------------------------------------------------------------- */

/** The changes of this request, each record once. */
function caseline_pending( $entry = null ) {
	static $waiting = array();
	if ( $entry ) {
		$waiting[ $entry->kind . $entry->record_id ] = $entry;
	}
	return $waiting;
}

/** Signed with HMAC-SHA256 of `<time>.<body>`; the poll tells what does not arrive. */
function caseline_send() {
	$waiting = caseline_pending();
	if ( ! $waiting || ! defined( 'CASELINE_WEBHOOK_URL' ) || ! defined( 'CASELINE_WEBHOOK_SECRET' ) || '' === CASELINE_WEBHOOK_SECRET ) {
		return;
	}
	$events = array();
	foreach ( array_slice( array_values( $waiting ), 0, CASELINE_LIMIT ) as $entry ) {
		$events[] = array( 'kind' => $entry->kind, 'row' => caseline_row( $entry ) );
	}
	$body = wp_json_encode( array( 'events' => $events ) );
	$time = (string) time();
	wp_remote_post(
		CASELINE_WEBHOOK_URL,
		array(
			'blocking' => false,
			'timeout'  => 3,
			'body'     => $body,
			'headers'  => array(
				'Content-Type'         => 'application/json',
				'X-Caseline-Time'      => $time,
				'X-Caseline-Signature' => 'sha256=' . hash_hmac( 'sha256', $time . '.' . $body, CASELINE_WEBHOOK_SECRET ),
			),
		)
	);
}
add_action( 'shutdown', 'caseline_send' );

/* ---- posts --------------------------------------------------------------------------------------------------------------------- */

function caseline_posts( $kind, array $more ) {
	$query = new WP_Query(
		$more + array(
			'post_type'      => CASELINE_TYPES[ $kind ],
			'post_status'    => array( 'publish', 'private' ),
			'posts_per_page' => 50,
			'orderby'        => 'ID',
			'order'          => 'ASC',
			'no_found_rows'  => true,
		)
	);
	return $query->posts;
}

function caseline_post( $kind, $id ) {
	$post = get_post( $id );
	return $post && caseline_is_there( $post, $kind ) ? $post : new WP_Error( 'rest_post_invalid_id', 'Invalid post ID.', array( 'status' => 404 ) );
}

function caseline_is_there( WP_Post $post, $kind ) {
	return CASELINE_TYPES[ $kind ] === $post->post_type && in_array( $post->post_status, array( 'publish', 'private' ), true );
}

/** Private: what is published in WordPress is the world's. What customers wrote is text, never HTML. */
function caseline_insert( $kind, $title, $content, array $meta, $then ) {
	$values = array( 'post_type' => CASELINE_TYPES[ $kind ], 'post_status' => 'private', 'post_title' => esc_html( $title ), 'post_content' => esc_html( $content ) );
	$kept   = array_filter(
		array_map( 'strval', $meta ),
		function ( $value ) {
			return '' !== $value;
		}
	);
	$id = wp_insert_post( wp_slash( $values + array( 'meta_input' => $kept ) ), true );
	return is_wp_error( $id ) ? $id : $then( get_post( $id ) );
}

function caseline_set( $id, $prefix, array $values ) {
	foreach ( $values as $name => $value ) {
		if ( $value === null ) {
			delete_post_meta( $id, $prefix . $name );
			continue;
		}
		update_post_meta( $id, $prefix . $name, wp_slash( is_scalar( $value ) ? (string) $value : wp_json_encode( $value ) ) );
	}
}

function caseline_meta( WP_Post $post, $key ) {
	$value = get_post_meta( $post->ID, $key, true );
	return is_scalar( $value ) ? (string) $value : '';
}

function caseline_edit_url( $id ) {
	return admin_url( 'post.php?post=' . (int) $id . '&action=edit' );
}

function caseline_texts( $value ) {
	return array_slice( array_filter( array_map( 'strval', array_filter( (array) $value, 'is_scalar' ) ), 'strlen' ), 0, 50 );
}

/** One at a time for each key; who waits too long is told to come again. */
function caseline_alone( $key, $work ) {
	global $wpdb;
	$lock = 'cx' . substr( hash( 'sha256', $wpdb->prefix . $key ), 0, 60 );
	if ( '1' !== (string) $wpdb->get_var( $wpdb->prepare( 'SELECT GET_LOCK(%s, 5)', $lock ) ) ) {
		return new WP_Error( 'caseline_locked', 'Somebody else is writing it.', array( 'status' => 423 ) );
	}
	try {
		return $work();
	} finally {
		$wpdb->query( $wpdb->prepare( 'SELECT RELEASE_LOCK(%s)', $lock ) );
	}
}
